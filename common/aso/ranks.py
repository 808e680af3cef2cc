"""Rank observations: recorded in batches with an answer per row, and folded into their keywords.

A check is known by keyword, time, device, locale and source. Told again it changes nothing; told otherwise it is
refused, because an observation is a fact; only a check that failed may still turn out to have succeeded.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from common import quotas
from common.answers import Record, RowResult, RowResults
from common.aso.changes import KeywordChange, ObservationChange, Watch
from common.aso.entities import KEYWORDS, RANK_OBSERVATIONS
from common.aso.keywords import new_keyword, observed_states
from common.aso.models import Keyword, Provenance, RankObservation
from common.aso.normalize import keyword_id_of
from common.aso.rank_models import RankRow
from common.aso.rank_state import RankState, counts_for, known_of, state_of, with_state
from common.aso.rows import STATUS, Batch, Outcome, transact_anew
from common.context import Context
from common.identifiers import derived_uuid
from common.model import rfc3339
from common.store import Work, in_chunks

CHUNK = 100
"""Rows of one transaction: an observation and at most a keyword each, below Firestore's 500 writes."""

COMPETITORS = "competitor_rankings"
"""Field of a keyword whose source and time are kept with those of its numbers."""


def record(
    context: Context, rows: Sequence[Any], *, create_missing: bool = False, watch: Watch | None = None
) -> RowResults[RankObservation]:
    """Record observations and bring their keywords' ranks up to date.

    Args:
        context: Circumstances of the request.
        rows: ``RankRow`` models, or what is to be validated as such.
        create_missing: Whether to follow keywords that are not followed yet (rows that name them by ``keyword``).
        watch: Is told what each transaction changes.

    Returns:
        One result a row: ``created``, ``updated`` (a failed check that succeeded after all), ``unchanged``, or
        ``refused``: 403 ``quota_exceeded`` (a new keyword beyond the quota), 404 ``keyword_not_found``, 409
        ``observation_conflict``, 422 invalid (``invalid_state``, ``future_check``, ...).
    """
    batch: Batch[RankRow, RankObservation] = Batch(RankRow, rows)
    for indexes in in_chunks(list(batch.accepted), CHUNK):
        chunk = {index: batch.accepted[index] for index in indexes}
        room = quotas.room(context, "keywords", len(chunk)) if create_missing else None
        work = functools.partial(_recorded, rows=chunk, create_missing=create_missing, watch=watch, room=room)
        recorded = transact_anew(context, work, {"keyword_exists", "rank_observation_exists"})
        quotas.added(context, "keywords", recorded.followed)
        batch.settle(recorded.results)
        for index, (status, code, detail) in recorded.refused.items():
            batch.refuse(index, status, code, detail)
    return batch.results()


def observation_of(keyword: Keyword, row: RankRow, now: datetime) -> RankObservation:
    """Return the observation that a row tells of a keyword."""
    moment = row.moment
    key = (keyword.keyword_id, rfc3339(moment), row.device, row.locale, row.source)
    return RankObservation(
        observation_id=str(derived_uuid("aso.rank_observation", *key)),
        tenant_id=keyword.tenant_id,
        keyword_id=keyword.keyword_id,
        keyword=keyword.keyword,
        date=row.day,
        checked_at=moment,
        created_at=now,
        **row.model_dump(exclude={"keyword", "keyword_id", "date", "checked_at"}),
    )


@dataclass(slots=True)
class _Recorded:
    """What one transaction made of its rows."""

    results: dict[int, RowResult[RankObservation]] = field(default_factory=dict)
    refused: dict[int, tuple[int, str, str]] = field(default_factory=dict)
    followed: int = 0


FULL = (403, "quota_exceeded", "The tenant has as many keywords as its quota allows.")


def _recorded(
    work: Work, rows: Mapping[int, RankRow], *, create_missing: bool, watch: Watch | None, room: int | None
) -> _Recorded:
    """Record the rows of one transaction; ``room`` is how many keywords may be new, None without a limit."""
    now = datetime.now(UTC)
    recorded = _Recorded()
    tenant_id = work.context.tenant_id
    ids = {index: row.keyword_id or keyword_id_of(tenant_id, row.keyword or "") for index, row in rows.items()}
    followed = work.get_many(KEYWORDS, ids.values())
    keywords = {keyword_id: known.value for keyword_id, known in followed.items()}
    observations: dict[int, RankObservation] = {}
    for index, row in rows.items():
        keyword = keywords.get(ids[index])
        if keyword is None and create_missing and row.keyword_id is None and row.keyword is not None:
            if room is not None and recorded.followed >= room:
                recorded.refused[index] = FULL
                continue
            keyword = keywords[ids[index]] = new_keyword(tenant_id, row.keyword, now)
            recorded.followed += 1
        if keyword is None:
            recorded.refused[index] = (404, "keyword_not_found", "This keyword is not followed.")
        elif row.keyword is not None and keyword.keyword_id != keyword_id_of(tenant_id, row.keyword):
            recorded.refused[index] = (422, "keyword_mismatch", "keyword and keyword_id name different keywords.")
        else:
            observations[index] = observation_of(keyword, row, now)
    accepted, changes = _observed(work, observations, recorded)
    changed = _refolded(work, accepted, keywords, followed, now)
    if watch is not None and (changed or changes):
        watch(work, changed, changes)
    return recorded


def _refolded(
    work: Work,
    accepted: Sequence[RankObservation],
    keywords: Mapping[str, Keyword],
    followed: Mapping[str, Record[Keyword]],
    now: datetime,
) -> list[KeywordChange]:
    """Bring the keywords of accepted observations up to date; return what changed."""
    changed = []
    fresh = [keywords[name] for name in sorted({each.keyword_id for each in accepted} - followed.keys())]
    states = observed_states(work, fresh)
    for keyword_id in sorted({each.keyword_id for each in accepted}):
        keyword = keywords[keyword_id]
        own = [each for each in accepted if each.keyword_id == keyword_id and counts_for(keyword, each)]
        start = known_of(keyword).merge(states.get(keyword_id, RankState()))
        after = with_state(
            _with_competitors(keyword, own), functools.reduce(RankState.merge, map(state_of, own), start)
        )
        if keyword_id not in followed:
            work.create(KEYWORDS, after)
            changed.append(KeywordChange(before=None, after=after, born=with_state(keyword, start)))
        elif after != keyword:
            after = work.update(KEYWORDS, followed[keyword_id], after.model_copy(update={"updated_at": now}))
            changed.append(KeywordChange(before=keyword, after=after))
    return changed


def _with_competitors(keyword: Keyword, observations: Sequence[RankObservation]) -> Keyword:
    """Return the keyword with the ranks of its competitors as the newest of all looks for them found them."""
    told = [each for each in observations if each.competitors is not None]
    if not told:
        return keyword
    newest = max(told, key=lambda each: (each.checked_at, each.observation_id))
    known = keyword.provenance.get(COMPETITORS)
    if known is not None and known.as_of >= newest.checked_at:
        return keyword
    provenance = {**keyword.provenance, COMPETITORS: Provenance(source=newest.source, as_of=newest.checked_at)}
    changes = {COMPETITORS: newest.competitors, "provenance": dict(sorted(provenance.items()))}
    return keyword.model_copy(update=changes)


def _observed(
    work: Work, observations: Mapping[int, RankObservation], recorded: _Recorded
) -> tuple[list[RankObservation], list[ObservationChange]]:
    """Write what is new among the observations and answer their rows.

    Returns:
        Those that were accepted, and what changed.
    """
    stored = work.get_many(RANK_OBSERVATIONS, [each.observation_id for each in observations.values()])
    current = {observation_id: known.value for observation_id, known in stored.items()}
    accepted = []
    for index, told in observations.items():
        known = current.get(told.observation_id)
        outcome = _outcome(known, told)
        if outcome is None:
            detail = "Another result is recorded for this check; observations do not change."
            recorded.refused[index] = (409, "observation_conflict", detail)
            continue
        accepted.append(told)
        if outcome != "unchanged":
            current[told.observation_id] = told
        value = current[told.observation_id]
        recorded.results[index] = RowResult(index=index, status=STATUS[outcome], outcome=outcome, value=value)
    changes = []
    for observation_id, value in current.items():
        if observation_id not in stored:
            work.create(RANK_OBSERVATIONS, value)
            changes.append(ObservationChange(before=None, after=value))
        elif value is not stored[observation_id].value:
            work.update(RANK_OBSERVATIONS, stored[observation_id], value)
            changes.append(ObservationChange(before=stored[observation_id].value, after=value))
    return accepted, changes


def _outcome(known: RankObservation | None, told: RankObservation) -> Outcome | None:
    """Return what becomes of an observation; None where it contradicts the known one."""
    if known is None:
        return "created"
    if known.state == "check_failed":
        return "unchanged" if told.state == "check_failed" else "updated"
    if told.state == "check_failed":
        return "unchanged"
    return "unchanged" if told.model_copy(update={"created_at": known.created_at}) == known else None
