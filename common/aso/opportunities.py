"""Opportunities as documents: how they are made and closed by the scan, and how people list and work on them.

States: ``new`` -> ``in_progress`` -> ``completed`` or ``dismissed``; ``new`` -> ``dismissed``; ``dismissed`` -> ``new``
while it holds. ``completed`` and ``closed`` are final. Only the scan closes, and only what is ``new`` or
``in_progress``; a completed or dismissed one that stops holding keeps its status and is marked ``holds = false``, so
that a dismissed opportunity stays dismissed as long as it holds and comes back as a new *episode* only after it was
gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from common import cache
from common.answers import Cached, Page, Record
from common.aso.caches import ASO_OPPORTUNITIES
from common.aso.entities import CONTENT_PIECES, OPPORTUNITIES
from common.aso.models import Opportunity, OpportunityStatus
from common.aso.opportunity_models import OpportunityQuery, OpportunityUpdate
from common.aso.periods import since_midnight
from common.aso.rows import transact_anew
from common.context import Context
from common.errors import Conflict, FieldError, Unprocessable
from common.identifiers import derived_uuid
from common.store import Repository, Work, transact, write_record

TRANSITIONS: Mapping[OpportunityStatus, tuple[OpportunityStatus, ...]] = {
    "new": ("in_progress", "dismissed"),
    "in_progress": ("completed", "dismissed"),
    "completed": (),
    "dismissed": ("new",),
    "closed": (),
}
ORDERS: Mapping[str, tuple[str, ...]] = {
    "-expected_gain": ("-expected_gain", "-detected_at"),
    "-detected_at": ("-detected_at",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """An opportunity that no longer holds.

    Attributes:
        opportunity_id: Which.
        reason: Which condition failed.
    """

    opportunity_id: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """What became of endings.

    Attributes:
        closed: Were new or in progress; closed now.
        released: Were completed or dismissed; marked as no longer holding.
    """

    closed: int
    released: int


def opportunity_id_of(tenant_id: str, opportunity_type: str, keyword_id: str, episode: int) -> str:
    """Return the id of an opportunity: two scans that find the same one give it the same id."""
    return str(derived_uuid("aso.opportunity", tenant_id, opportunity_type, keyword_id, str(episode)))


def create_missing(context: Context, candidates: Sequence[Opportunity]) -> int:
    """Create the opportunities that do not exist, in one transaction; return how many.

    A candidate's episode is the newest the caller knows of. Where that one is over (it does not hold any more), the
    following episode is tried, so what the caller did not know yet cannot revive or double anything.

    Args:
        context: Tenant and clients.
        candidates: Opportunities that hold, each of another keyword or type; 500 at most.
    """

    def work(work: Work) -> int:
        waiting = [_at_episode(context, candidate, candidate.episode) for candidate in candidates]
        missing: list[Opportunity] = []
        while waiting:
            found = work.get_many(OPPORTUNITIES, [candidate.opportunity_id for candidate in waiting])
            missing += [candidate for candidate in waiting if candidate.opportunity_id not in found]
            waiting = [
                _at_episode(context, candidate, candidate.episode + 1)
                for candidate in waiting
                if candidate.opportunity_id in found and not found[candidate.opportunity_id].value.holds
            ]
        for candidate in missing:
            work.create(OPPORTUNITIES, candidate)
        return len(missing)

    return transact_anew(context, work, {"opportunity_exists"})


def end(context: Context, endings: Sequence[Ending]) -> Ended:
    """Close or release opportunities in one transaction; those that are over already stay as they are.

    Args:
        context: Tenant and clients.
        endings: 500 at most.
    """
    now = datetime.now(UTC)
    reasons = {ending.opportunity_id: ending.reason for ending in endings}

    def work(work: Work) -> Ended:
        records = work.get_many(OPPORTUNITIES, reasons)
        holding = {name: record for name, record in records.items() if record.value.holds}
        closed = 0
        for name, record in holding.items():
            changes: dict[str, Any] = {"holds": False, "updated_at": now}
            if record.value.status in {"new", "in_progress"}:
                changes |= {"status": "closed", "closed_at": now, "closed_reason": reasons[name]}
                closed += 1
            work.update(OPPORTUNITIES, record, record.value.model_copy(update=changes))
        return Ended(closed=closed, released=len(holding) - closed)

    return transact(context, work, answers=False)


def get(context: Context, opportunity_id: str) -> Record[Opportunity]:
    """Return an opportunity with its version.

    Raises:
        NotFound: ``opportunity_not_found``.
    """
    return Repository(OPPORTUNITIES, context).get(opportunity_id)


def listed(context: Context, query: OpportunityQuery) -> Cached[Page[Opportunity]]:
    """Return a page of opportunities through the cache ``aso_opportunities``.

    Raises:
        BadRequest: ``invalid_cursor``.
    """

    def compute() -> Page[Opportunity]:
        filters: list[tuple[str, str, Any]] = [
            (name, "==", value)
            for name in ("status", "opportunity_type")
            if (value := getattr(query, name)) is not None
        ]
        since = since_midnight(query.days)
        if since is not None:
            filters.append(("detected_at", ">=", since))
        repository = Repository(OPPORTUNITIES, context)
        return repository.page(filters, ORDERS[query.sort], limit=query.limit, cursor=query.cursor)

    return cache.read_through(context, ASO_OPPORTUNITIES, query.model_dump(), compute)


def ranked(context: Context, limit: int) -> list[Opportunity]:
    """Return the open (new or in-progress) opportunities with the greatest expected gain, past the cache."""
    filters = [("status", "in", ["new", "in_progress"])]
    records = Repository(OPPORTUNITIES, context).select(filters, ORDERS["-expected_gain"], limit)
    return [record.value for record in records]


def update(context: Context, opportunity_id: str, body: OpportunityUpdate) -> Record[Opportunity]:
    """Move an opportunity along its states, or say which piece takes it up.

    Raises:
        NotFound: ``opportunity_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``invalid_transition``.
        Unprocessable: ``content_not_found``, ``not_dismissed``.
    """
    given = body.model_fields_set

    def work(work: Work) -> Opportunity:
        record = work.get_for_update(OPPORTUNITIES, opportunity_id)
        changed = record.value
        if body.status is not None and body.status != changed.status:
            changed = _moved(changed, body.status)
        if "dismissed_reason" in given:
            changed = _explained(changed, body.dismissed_reason)
        if "content_id" in given and body.content_id != changed.content_id:
            _check_content(work, body.content_id)
            changed = changed.model_copy(update={"content_id": body.content_id})
        if changed != record.value:
            changed = changed.model_copy(update={"updated_at": datetime.now(UTC)})
        return work.update(OPPORTUNITIES, record, changed)

    return write_record(context, work)


def _at_episode(context: Context, candidate: Opportunity, episode: int) -> Opportunity:
    name = opportunity_id_of(context.tenant_id, candidate.opportunity_type, candidate.keyword_id, episode)
    return candidate.model_copy(update={"opportunity_id": name, "episode": episode})


def _moved(opportunity: Opportunity, status: OpportunityStatus) -> Opportunity:
    if status not in TRANSITIONS[opportunity.status]:
        raise _invalid(f"an opportunity that is {opportunity.status} cannot become {status}")
    if status == "new" and not opportunity.holds:
        raise _invalid("it no longer holds; if it comes back the scan makes a new one")
    reason = opportunity.dismissed_reason if status == "dismissed" else None
    return opportunity.model_copy(update={"status": status, "dismissed_reason": reason})


def _invalid(message: str) -> Conflict:
    error = FieldError(pointer="/status", code="invalid_transition", message=message)
    return Conflict("invalid_transition", message, errors=[error])


def _explained(opportunity: Opportunity, reason: str | None) -> Opportunity:
    if reason is not None and opportunity.status != "dismissed":
        message = "only a dismissed opportunity has a reason for it"
        error = FieldError(pointer="/dismissed_reason", code="not_dismissed", message=message)
        raise Unprocessable("not_dismissed", message, errors=[error])
    return opportunity.model_copy(update={"dismissed_reason": reason})


def _check_content(work: Work, content_id: str | None) -> None:
    if content_id is not None and work.find(CONTENT_PIECES, content_id) is None:
        message = f"there is no content piece {content_id!r}"
        error = FieldError(pointer="/content_id", code="content_not_found", message=message)
        raise Unprocessable("content_not_found", message, errors=[error])
