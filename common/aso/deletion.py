"""Deleting content: what hangs on a piece goes with it or lets go of it, never half.

A piece, its spokes and the links to them go in one transaction as long as that is small enough for one. More than that
goes in passes: links first, then spokes, the hub last. Each pass leaves a consistent state and looks afresh, so a
deletion that was interrupted goes on where it stopped when it is asked for again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from common.answers import Record
from common.aso.content_models import DeletedPiece, DeleteQuery, DeletionReport
from common.aso.entities import CONTENT_PIECES, KEYWORDS, OPPORTUNITIES
from common.aso.models import ContentPiece, Keyword, Opportunity
from common.context import Context
from common.errors import Conflict
from common.store import Repository, Work, in_chunks, transact

WRITES = 450
"""Writes of one pass, below Firestore's 500."""

WRITES_A_PIECE = 3
"""The piece, its tombstone, its address."""

PIECES = 140
IN = 30
"""Values that one ``in`` filter takes."""

SHOWN = 200


@dataclass(slots=True)
class _Taken:
    """What one pass, or the look ahead, takes away."""

    pieces: list[ContentPiece] = field(default_factory=list)
    keywords: int = 0
    opportunities: int = 0
    done: bool = False

    def add(self, other: _Taken) -> None:
        self.pieces += other.pieces
        self.keywords += other.keywords
        self.opportunities += other.opportunities
        self.done = other.done


def delete(context: Context, content_id: str, query: DeleteQuery) -> DeletionReport:
    """Delete a piece, with ``cascade`` also the spokes of a hub, or tell what that would take away.

    Raises:
        NotFound: ``content_piece_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``has_spokes`` without ``cascade``, with their number.
        Unavailable: The deadline passed between two passes; asked again, the deletion goes on.
    """
    if query.dry_run:
        return _report(content_id, query, _foreseen(context, content_id))
    taken = _Taken()
    while not taken.done:
        taken.add(transact(context, lambda work: _pass(work, content_id, query), answers=False))
    return _report(content_id, query, taken)


def _pass(work: Work, content_id: str, query: DeleteQuery) -> _Taken:
    """Take away as much as fits one transaction."""
    piece = work.get_for_update(CONTENT_PIECES, content_id)
    spokes = work.select(CONTENT_PIECES, [("hub_id", "==", content_id)], limit=PIECES)
    if spokes and not query.cascade:
        raise _has_spokes(Repository(CONTENT_PIECES, work.context).count([("hub_id", "==", content_id)]))
    last = len(spokes) < PIECES
    goners = [*spokes, piece] if last else spokes
    keywords, opportunities = _links(work, [record.value.content_id for record in goners], limit=WRITES + 1)
    room = WRITES - WRITES_A_PIECE * len(goners)
    fits = len(keywords) + len(opportunities) <= room
    if not fits:
        keywords = keywords[:WRITES]
        opportunities = opportunities[: WRITES - len(keywords)]
    for keyword in keywords:
        work.update(KEYWORDS, keyword, keyword.value.model_copy(update=_unlinked()))
    for opportunity in opportunities:
        work.update(OPPORTUNITIES, opportunity, opportunity.value.model_copy(update=_unlinked()))
    taken = _Taken(keywords=len(keywords), opportunities=len(opportunities), done=fits and last)
    if fits:
        for record in goners:
            work.delete(CONTENT_PIECES, record)
        taken.pieces = [record.value for record in goners]
    return taken


def _links(
    work: Work, content_ids: Sequence[str], limit: int
) -> tuple[list[Record[Keyword]], list[Record[Opportunity]]]:
    keywords: list[Record[Keyword]] = []
    opportunities: list[Record[Opportunity]] = []
    for ids in in_chunks(content_ids, IN):
        keywords += work.select(KEYWORDS, [("content_id", "in", list(ids))], limit=limit)
        opportunities += work.select(OPPORTUNITIES, [("content_id", "in", list(ids))], limit=limit)
    return keywords, opportunities


def _unlinked() -> dict[str, object]:
    return {"content_id": None, "updated_at": datetime.now(UTC)}


def _foreseen(context: Context, content_id: str) -> _Taken:
    """Return what a deletion with ``cascade`` would take away, by reading and counting alone."""
    pieces = Repository(CONTENT_PIECES, context)
    found = [pieces.get(content_id), *pieces.select([("hub_id", "==", content_id)], order=("created_at",))]
    foreseen = _Taken(pieces=[record.value for record in found])
    for ids in in_chunks([record.value.content_id for record in found], IN):
        linked = [("content_id", "in", list(ids))]
        foreseen.keywords += Repository(KEYWORDS, context).count(linked)
        foreseen.opportunities += Repository(OPPORTUNITIES, context).count(linked)
    return foreseen


def _report(content_id: str, query: DeleteQuery, taken: _Taken) -> DeletionReport:
    spokes = [piece for piece in taken.pieces if piece.content_id != content_id]
    return DeletionReport(
        content_id=content_id,
        dry_run=query.dry_run,
        pieces=len(taken.pieces),
        spokes=[
            DeletedPiece(
                content_id=piece.content_id, title=piece.title, url=piece.url, monthly_traffic=piece.monthly_traffic
            )
            for piece in sorted(spokes, key=lambda piece: (piece.created_at, piece.content_id))[:SHOWN]
        ],
        keywords_unlinked=taken.keywords,
        opportunities_unlinked=taken.opportunities,
        monthly_traffic_lost=sum(piece.monthly_traffic or 0 for piece in taken.pieces),
        monthly_conversions_lost=sum(piece.monthly_conversions or 0 for piece in taken.pieces),
        traffic_unknown=sum(piece.monthly_traffic is None for piece in taken.pieces),
    )


def _has_spokes(count: int) -> Conflict:
    return Conflict(
        "has_spokes",
        f"This hub has {count} spoke{'s' if count != 1 else ''}; delete them first, or ask with cascade=true.",
        details={"spokes": count},
    )
