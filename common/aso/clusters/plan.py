"""What a clustering would change: computed once from what is stored, then kept, so that carrying it out can go on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from common.aso.clusters.entities import KEYWORD_CLUSTERS
from common.aso.clusters.grouping import Group, grouped
from common.aso.clusters.identity import matched
from common.aso.clusters.models import ClusteringResult, KeywordCluster
from common.aso.clusters.similarity import Term, Thresholds
from common.aso.entities import CONTENT_PIECES, KEYWORDS
from common.aso.models import ContentPiece
from common.aso.priority import monthly_demand
from common.collection import DOCUMENT_NAME, Collection
from common.context import Context
from common.identifiers import derived_uuid
from common.store import Repository, in_chunks

PAGE = 1000
FIELDS = ("keyword_normalized", "search_volume", "observed_impressions", "observed_days", "cluster_id", "content_id")
"""What is read of a keyword; the lists in its document are none of the business."""

ResultPages = Callable[[Context, Sequence[str]], Mapping[str, frozenset[str]]]
"""Tells the addresses of the first ten results of those keywords whose results are known, by keyword id."""


@dataclass(slots=True)
class Known:
    """What is stored of a tenant's keywords.

    Attributes:
        terms: The keywords.
        cluster_of: Cluster id of each keyword that has one.
        content_of: Piece of each keyword that has one.
    """

    terms: list[Term] = field(default_factory=list)
    cluster_of: dict[str, str] = field(default_factory=dict)
    content_of: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """What changes.

    Attributes:
        clusters: Clusters to be written, new ones and known ones alike.
        ended: Ids of clusters to be deleted.
        changes: Keyword id and new cluster id (None: in none any more) of every keyword whose cluster changes.
        result: What it comes to.
    """

    clusters: list[KeywordCluster]
    ended: list[str]
    changes: list[tuple[str, str | None]]
    result: ClusteringResult


def unknown_pages(context: Context, keyword_ids: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """Return that nothing is known of any keyword's results."""
    del context, keyword_ids
    return {}


def read(context: Context, pages: ResultPages, tick: Callable[[], None]) -> Known:
    """Read a tenant's keywords, page by page."""
    known = Known()
    for snapshots in _documents(context):
        results = pages(context, [snapshot.id for snapshot in snapshots])
        for snapshot in snapshots:
            fields = snapshot.to_dict()
            keyword_id = snapshot.id
            demand = monthly_demand(
                fields.get("search_volume"), fields.get("observed_impressions"), fields.get("observed_days")
            )
            text = str(fields.get("keyword_normalized", ""))
            found = results.get(keyword_id, frozenset())
            known.terms.append(Term(keyword_id=keyword_id, text=text, demand=demand, pages=found))
            if fields.get("cluster_id"):
                known.cluster_of[keyword_id] = fields["cluster_id"]
            if fields.get("content_id"):
                known.content_of[keyword_id] = fields["content_id"]
        tick()
    return known


def _documents(context: Context) -> Iterator[list[Any]]:
    collection = Collection(KEYWORDS, context)
    query = collection.query([], (DOCUMENT_NAME,)).select(FIELDS).limit(PAGE)
    start = None
    while snapshots := collection.run(query if start is None else query.start_after({DOCUMENT_NAME: start})):
        yield snapshots
        if len(snapshots) < PAGE:
            return
        start = snapshots[-1].reference


def made(context: Context, known: Known, thresholds: Thresholds, seed: str, tick: Callable[[], None]) -> Plan:
    """Return what a clustering of the known keywords changes.

    Args:
        context: Whose keywords.
        known: What is stored.
        thresholds: From when on keywords are alike.
        seed: Ids of new clusters derive from it, so that the same run makes the same ones again.
        tick: Called now and then.
    """
    now = datetime.now(UTC)
    groups = grouped(known.terms, thresholds, tick=tick)
    before = {record.value.cluster_id: record.value for record in _clusters(context)}
    members = [[term.keyword_id for term in group.members] for group in groups]
    names = matched(members, known.cluster_of, {name: cluster.created_at for name, cluster in before.items()})
    main = [_main_content(group, known.content_of) for group in groups]
    pieces = _pieces(context, {content_id for content_id in main if content_id is not None})
    clusters, wanted = [], {}
    for group, name, content_id in zip(groups, names, main, strict=True):
        new = str(derived_uuid("aso.keyword_cluster", context.tenant_id, seed, group.leader.keyword_id))
        cluster = _cluster(context, group, before.get(name or ""), new, pieces.get(content_id or ""), now)
        clusters.append(cluster)
        wanted.update(dict.fromkeys((term.keyword_id for term in group.members), cluster.cluster_id))
    changes = [
        (term.keyword_id, wanted.get(term.keyword_id))
        for term in known.terms
        if wanted.get(term.keyword_id) != known.cluster_of.get(term.keyword_id)
    ]
    kept = {name for name in names if name is not None}
    result = ClusteringResult(
        keywords=len(known.terms),
        clustered=len(wanted),
        clusters=len(clusters),
        created=len(clusters) - len(kept),
        kept=len(kept),
        ended=len(before) - len(kept),
        changed=len(changes),
    )
    return Plan(clusters=clusters, ended=sorted(before.keys() - kept), changes=changes, result=result)


def _clusters(context: Context) -> Iterator[Any]:
    collection = Collection(KEYWORD_CLUSTERS, context)
    query = collection.query([], (DOCUMENT_NAME,)).limit(PAGE)
    start = None
    while snapshots := collection.run(query if start is None else query.start_after({DOCUMENT_NAME: start})):
        yield from map(collection.record, snapshots)
        start = snapshots[-1].reference


def _main_content(group: Group, content_of: Mapping[str, str]) -> str | None:
    """Return the piece that most of the demand of a group is assigned to; of equals the one of more keywords."""
    shares: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for term in group.members:
        content_id = content_of.get(term.keyword_id)
        if content_id is not None:
            shares[content_id][0] += term.demand or 0.0
            shares[content_id][1] += 1
    return min(shares, key=lambda name: (-shares[name][0], -shares[name][1], name), default=None)


def _pieces(context: Context, content_ids: Iterable[str]) -> dict[str, ContentPiece]:
    found: dict[str, ContentPiece] = {}
    for some in in_chunks(sorted(content_ids), PAGE):
        records = Repository(CONTENT_PIECES, context).get_many(some)
        found.update({name: record.value for name, record in records.items()})
    return found


def _cluster(
    context: Context,
    group: Group,
    before: KeywordCluster | None,
    new: str,
    piece: ContentPiece | None,
    now: datetime,
) -> KeywordCluster:
    hub = None if piece is None else piece.content_id if piece.content_type == "hub" else piece.hub_id
    cluster = KeywordCluster(
        cluster_id=new if before is None else before.cluster_id,
        tenant_id=context.tenant_id,
        label=group.leader.text,
        label_keyword_id=group.leader.keyword_id,
        members=len(group.members),
        demand=round(sum(term.demand or 0.0 for term in group.members), 2),
        method=group.method,
        content_id=None if piece is None else piece.content_id,
        hub_id=hub,
        created_at=now if before is None else before.created_at,
        updated_at=now if before is None else before.updated_at,
    )
    return cluster if before is None or cluster == before else cluster.model_copy(update={"updated_at": now})
