"""Keywords: upserted in batches with an answer per row, read, listed, deleted.

A keyword's id derives from the tenant and the normalised keyword, so an upsert needs no look-up and two spellings
cannot become two keywords. Deleting a keyword keeps its rank observations: they are facts about a day, and following
the keyword again takes up its ranks from them. Opportunities of a deleted keyword are closed by the next scan.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from common import cache, quotas
from common.answers import Cached, Page, Record, RowResult, RowResults
from common.aso.caches import ASO_KEYWORDS
from common.aso.changes import KeywordChange, Watch
from common.aso.entities import CONTENT_PIECES, KEYWORDS, RANK_OBSERVATIONS
from common.aso.intent import guess_intent
from common.aso.keyword_models import KeywordQuery, KeywordRow
from common.aso.kgr import kgr_class, kgr_score
from common.aso.models import Keyword, KeywordSummary, Provenance, RankObservation
from common.aso.normalize import keyword_id_of, normalized_keyword
from common.aso.periods import since_midnight
from common.aso.priority import monthly_demand, tier
from common.aso.rank_state import RankState, counts_for, folded, with_state
from common.aso.rows import STATUS, Batch, Outcome, transact_anew
from common.context import Context
from common.store import Repository, Work, in_chunks, transact

CHUNK = 100
"""Rows of one transaction: well below Firestore's 500 writes, and short enough to meet few other writers."""

NUMBERS = (
    *("search_volume", "difficulty_score", "allintitle_results"),
    *("observed_impressions", "observed_clicks", "observed_days", "observed_until"),
)
"""Fields whose source and time are kept."""

IN = 30
"""Values that one ``in`` filter takes."""

REFOLDED = 1000
"""Observations at most from which a rank state is computed anew, the newest ones."""


def upsert(context: Context, rows: Sequence[Any], watch: Watch | None = None) -> RowResults[KeywordSummary]:
    """Create or change keywords.

    Args:
        context: Circumstances of the request.
        rows: ``KeywordRow`` models, or what is to be validated as such.
        watch: Is told what each transaction changes.

    Returns:
        One result a row: ``created``, ``updated``, ``unchanged``, or ``refused`` with 422 (invalid,
        ``duplicate_in_batch``, ``content_not_found``) or 403 (``quota_exceeded``, a new keyword beyond the quota).
    """
    batch: Batch[KeywordRow, KeywordSummary] = Batch(KeywordRow, rows)
    ids = _refuse_duplicates(context, batch)
    for indexes in in_chunks(list(batch.accepted), CHUNK):
        chunk = {index: batch.accepted[index] for index in indexes}
        room = quotas.room(context, "keywords", len(chunk))
        work = functools.partial(_upserted, rows=chunk, ids=ids, watch=watch, room=room)
        outcome = transact_anew(context, work, {"keyword_exists"})
        quotas.added(context, "keywords", sum(each.outcome == "created" for each in outcome.results.values()))
        batch.settle(outcome.results)
        for index, refusal in outcome.refused.items():
            batch.refuse(index, refusal.status, refusal.code, refusal.detail, refusal.field)
    return batch.results()


def get(context: Context, keyword_id: str) -> Record[Keyword]:
    """Return a keyword with its version.

    Raises:
        NotFound: ``keyword_not_found``.
    """
    return Repository(KEYWORDS, context).get(keyword_id)


def listed(context: Context, query: KeywordQuery) -> Cached[Page[KeywordSummary]]:
    """Return a page of keywords, without their lists, through the cache ``aso_keywords``.

    Raises:
        BadRequest: ``invalid_cursor``.
    """

    def compute() -> Page[KeywordSummary]:
        names = ("priority", "intent", "content_id")
        filters = [(name, "==", value) for name in names if (value := getattr(query, name)) is not None]
        order = ("-created_at",)
        since = since_midnight(query.days)
        if since is not None:
            filters.append(("last_checked", ">=", since))
            order = ("-last_checked",)
        page = Repository(KEYWORDS, context).page(filters, order, limit=query.limit, cursor=query.cursor)
        return Page(items=[_summary(keyword) for keyword in page.items], next_cursor=page.next_cursor)

    return cache.read_through(context, ASO_KEYWORDS, query.model_dump(), compute)


def delete(context: Context, keyword_id: str) -> None:
    """Stop following a keyword.

    Raises:
        NotFound: ``keyword_not_found``.
        PreconditionFailed: ``stale_etag``.
    """
    transact(context, lambda work: work.delete(KEYWORDS, work.get_for_update(KEYWORDS, keyword_id)))


def new_keyword(tenant_id: str, keyword: str, now: datetime) -> Keyword:
    """Return a keyword nobody has said anything about."""
    return with_rules(
        Keyword(
            keyword_id=keyword_id_of(tenant_id, keyword),
            tenant_id=tenant_id,
            keyword=keyword,
            keyword_normalized=normalized_keyword(keyword),
            priority="tier3",
            created_at=now,
            updated_at=now,
        )
    )


def with_rules(keyword: Keyword) -> Keyword:
    """Return the keyword with what follows from its numbers and words: KGR, and intent and tier unless given."""
    volume, titles = keyword.search_volume, keyword.allintitle_results
    changes: dict[str, Any] = {"kgr_score": kgr_score(titles, volume), "kgr_class": kgr_class(titles, volume)}
    if keyword.intent_source not in {"user", "model"}:
        guess = guess_intent(keyword.keyword)
        changes["intent"], changes["intent_confidence"] = guess
        changes["intent_source"] = None if guess.intent is None else "rule"
    if keyword.priority_source != "user":
        demand = monthly_demand(volume, keyword.observed_impressions, keyword.observed_days)
        changes["priority"] = tier(demand, keyword.difficulty_score, changes["kgr_class"])
    return keyword.model_copy(update=changes)


@dataclass(frozen=True, slots=True)
class _Refusal:
    code: str
    detail: str
    field: str
    status: int = 422


FULL = _Refusal("quota_exceeded", "The tenant has as many keywords as its quota allows.", "/keyword", 403)


@dataclass(slots=True)
class _Chunk:
    """What one transaction made of its rows."""

    results: dict[int, RowResult[KeywordSummary]] = field(default_factory=dict)
    refused: dict[int, _Refusal] = field(default_factory=dict)


def _refuse_duplicates(context: Context, batch: Batch[KeywordRow, KeywordSummary]) -> dict[int, str]:
    """Refuse rows whose keyword an earlier row has; return the keyword ids of the others."""
    first: dict[str, int] = {}
    for index, row in list(batch.accepted.items()):
        keyword_id = keyword_id_of(context.tenant_id, row.keyword)
        if keyword_id in first:
            detail = f"Row {first[keyword_id]} has the same keyword."
            batch.refuse(index, 422, "duplicate_in_batch", detail, "/keyword")
        else:
            first[keyword_id] = index
    return {index: keyword_id for keyword_id, index in first.items()}


def _upserted(
    work: Work, rows: Mapping[int, KeywordRow], ids: Mapping[int, str], watch: Watch | None, room: int | None
) -> _Chunk:
    """Create or change the keywords of one transaction, no more new ones than there is room for (None: no limit)."""
    now = datetime.now(UTC)
    chunk = _Chunk()
    known = work.get_many(KEYWORDS, [ids[index] for index in rows])
    pieces = work.get_many(CONTENT_PIECES, {row.content_id for row in rows.values() if row.content_id is not None})
    wanted: dict[int, Keyword] = {}
    for index, row in rows.items():
        record = known.get(ids[index])
        before = new_keyword(work.context.tenant_id, row.keyword, now) if record is None else record.value
        after = changed_by(before, row, now)
        refusal = _refusal(row, after, pieces)
        if refusal is None and record is None and room is not None:
            refusal, room = (FULL, room) if room == 0 else (None, room - 1)
        if refusal is not None:
            chunk.refused[index] = refusal
        else:
            wanted[index] = after
    refolded = _refolded(work, {index: known.get(ids[index]) for index in wanted}, wanted)
    changes: list[KeywordChange] = []
    for index, keyword in refolded.items():
        chunk.results[index] = _written(work, index, known.get(ids[index]), keyword, now, changes)
    if watch is not None and changes:
        watch(work, changes, ())
    return chunk


def _refusal(row: KeywordRow, after: Keyword, pieces: Collection[str]) -> _Refusal | None:
    if row.content_id is not None and row.content_id not in pieces:
        return _Refusal("content_not_found", f"There is no content piece {row.content_id!r}.", "/content_id")
    clicks, impressions = after.observed_clicks, after.observed_impressions
    if clicks is not None and impressions is not None and clicks > impressions:
        return _Refusal("invalid_value", "There cannot be more clicks than impressions.", "/observed_clicks")
    return None


def changed_by(keyword: Keyword, row: KeywordRow, now: datetime) -> Keyword:
    """Return the keyword with the given fields of a row, and what follows from them."""
    given = {name: getattr(row, name) for name in row.model_fields_set - {"keyword", "source", "as_of"}}
    provenance = dict(keyword.provenance)
    for name in NUMBERS:
        if name in given:
            provenance.pop(name, None)
            if given[name] is not None:
                provenance[name] = _provenance(keyword, row, name, now)
    changes: dict[str, Any] = {**given, "provenance": dict(sorted(provenance.items()))}
    if "intent" in given:
        changes["intent_source"] = None if row.intent is None else "user"
        changes["intent_confidence"] = None if row.intent is None else 1.0
    if "priority" in given:
        changes["priority_source"] = "rule" if row.priority is None else "user"
        changes["priority"] = row.priority or keyword.priority
    return with_rules(keyword.model_copy(update=changes))


def _provenance(keyword: Keyword, row: KeywordRow, name: str, now: datetime) -> Provenance:
    """Return source and time of a number; the same number told again without them keeps those it has."""
    known = keyword.provenance.get(name)
    if known is None or getattr(keyword, name) != getattr(row, name):
        return Provenance(source=row.source, as_of=row.as_of or now)
    source = row.source if "source" in row.model_fields_set else known.source
    return Provenance(source=source, as_of=row.as_of or known.as_of)


def _refolded(
    work: Work, known: Mapping[int, Record[Keyword] | None], wanted: Mapping[int, Keyword]
) -> dict[int, Keyword]:
    """Fold the rank anew for keywords that are new or follow another device or locale from now on."""
    anew = {
        index: keyword
        for index, keyword in wanted.items()
        if (before := known[index]) is None
        or (before.value.device, before.value.locale) != (keyword.device, keyword.locale)
    }
    states = observed_states(work, anew.values())
    return {
        index: with_state(keyword, states.get(keyword.keyword_id, RankState())) if index in anew else keyword
        for index, keyword in wanted.items()
    }


def _written(
    work: Work,
    index: int,
    record: Record[Keyword] | None,
    keyword: Keyword,
    now: datetime,
    changes: list[KeywordChange],
) -> RowResult[KeywordSummary]:
    """Write a keyword if there is anything to write, note the change, and return the answer to its row."""
    outcome: Outcome
    if record is None:
        outcome, value = "created", work.create(KEYWORDS, keyword)
        changes.append(KeywordChange(before=None, after=value, born=value))
    elif keyword == record.value:
        outcome, value = "unchanged", record.value
    else:
        outcome, value = "updated", work.update(KEYWORDS, record, keyword.model_copy(update={"updated_at": now}))
        changes.append(KeywordChange(before=record.value, after=value))
    return RowResult(index=index, status=STATUS[outcome], outcome=outcome, value=_summary(value))


def _summary(keyword: Keyword) -> KeywordSummary:
    return KeywordSummary.model_construct(**{name: getattr(keyword, name) for name in KeywordSummary.model_fields})


def observed_states(work: Work, wanted: Iterable[Keyword]) -> dict[str, RankState]:
    """Return the rank state of keywords, folded anew from their observations.

    New keywords mostly have none, so they are asked for together, and one by one only where there are many.
    """
    states: dict[str, RankState] = {}
    for keywords in in_chunks(list(wanted), IN):
        found = _observations(work, [keyword.keyword_id for keyword in keywords])
        for keyword in keywords:
            own = found if len(found) < REFOLDED else _observations(work, [keyword.keyword_id])
            states[keyword.keyword_id] = folded(
                observation
                for observation in own
                if observation.keyword_id == keyword.keyword_id and counts_for(keyword, observation)
            )
    return states


def _observations(work: Work, keyword_ids: Sequence[str]) -> list[RankObservation]:
    records = work.select(RANK_OBSERVATIONS, [("keyword_id", "in", keyword_ids)], order=("-date",), limit=REFOLDED)
    return [record.value for record in records]
