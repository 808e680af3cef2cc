"""Opportunities as documents: how they are made and closed by the scan, and how people list and work on them.

Completing one says when it was acted on; what came of it is measured from there (``common.aso.gain_model.outcomes``).

States: ``new`` -> ``in_progress`` -> ``completed`` or ``dismissed``; ``new`` -> ``dismissed``; ``dismissed`` -> ``new``
while it holds. ``completed`` and ``closed`` are final. Only the scan closes, and only what is ``new`` or
``in_progress``; a completed or dismissed one that stops holding keeps its status and is marked ``holds = false``, so
that a dismissed opportunity stays dismissed as long as it holds and comes back as a new *episode* only after it was
gone.

Scans that know their findings as a whole hand them to ``reconcile``; the scan of keywords (``common.aso.scan``), which
asks the warehouse for differences only, uses its parts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from common import cache
from common.answers import Cached, Page, Record
from common.aso.caches import ASO_OPPORTUNITIES
from common.aso.entities import CONTENT_PIECES, OPPORTUNITIES
from common.aso.gain_model import horizons
from common.aso.models import Opportunity, OpportunityStatus, OpportunityType
from common.aso.opportunity_models import OpportunityQuery, OpportunityUpdate
from common.aso.periods import since_midnight
from common.aso.rows import transact_anew
from common.context import Context
from common.errors import Conflict, FieldError, Unprocessable
from common.identifiers import derived_uuid
from common.store import Repository, Work, in_chunks, transact, write_record

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
CHUNK = 200
"""Opportunities of one transaction."""
NO_LONGER_FOUND = "no_longer_found"
"""Why ``reconcile`` closes where its caller names no reason."""
REFRESH_SHARE = 0.25
REFRESH_VISITS = 1.0
"""The figures of a new opportunity are computed afresh once its expected gain moved by more than both: a quarter of
what is stored, and one visit a month. Smaller moves are noise of ranks and curves, and not worth a write."""
GAIN_FIELDS = (
    "confidence_score",
    "estimated_traffic",
    "estimated_difficulty",
    "recommendation",
    "current_ranking",
    "reachable_ranking",
    "search_volume",
    "observed_impressions",
    "demand_basis",
    "monthly_demand",
    "opportunity_score",
    "expected_gain",
    "gain_low",
    "gain_high",
    "expected_value_minor",
    "currency",
    "gain_model",
    "gain_reach_probability",
    "evidence",
    "reasons",
)
"""What computing an opportunity afresh replaces."""


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciled:
    """What bringing opportunities in line with findings did.

    Attributes:
        created: Made now.
        kept: Known before and still found.
        refreshed: Of the kept, those whose figures were computed afresh.
        closed: No longer found, were new or in progress.
        released: No longer found, were completed or dismissed.
        remaining: Still to be created or closed, beyond the limit.
    """

    created: int = 0
    kept: int = 0
    refreshed: int = 0
    closed: int = 0
    released: int = 0
    remaining: int = 0


def opportunity_id_of(tenant_id: str, opportunity_type: str, subject_id: str, episode: int) -> str:
    """Return the id of an opportunity: two scans that find the same one give it the same id."""
    return str(derived_uuid("aso.opportunity", tenant_id, opportunity_type, subject_id, str(episode)))


def reconcile(
    context: Context,
    types: Collection[OpportunityType],
    candidates: Sequence[Opportunity],
    now: datetime,
    *,
    limit: int,
    subjects: Collection[str] | None = None,
    reasons: Mapping[str, str] | None = None,
) -> Reconciled:
    """Bring the opportunities of some types in line with everything a scan found of them.

    Creates what is missing (the greatest gain first), computes new ones afresh whose gain has moved, and closes what is
    known to hold and was not found. Idempotent; two at once cannot double anything.

    Args:
        context: Tenant, clients and deadline.
        types: Types the scan looked for.
        candidates: What holds; ``opportunity_id`` and ``episode`` are given here.
        now: Moment of the scan.
        limit: Creations, and closings, at most.
        subjects: Subjects the scan looked at: nothing else is closed. None: it looked at all there are.
        reasons: Why a subject is no longer found, by subject id; ``NO_LONGER_FOUND`` for the rest.

    Raises:
        ValueError: A candidate is of another type, names no subject, or is there twice.
        Unavailable: A dependency does not answer; what was written stays and running again goes on.
    """
    wanted = _by_identity(types, candidates)
    known = {
        (record.value.opportunity_type, record.value.subject_id): record.value
        for record in Repository(OPPORTUNITIES, context).select(
            [("opportunity_type", "in", sorted(types)), ("holds", "==", True)]
        )
    }
    looked_at = None if subjects is None else set(subjects)
    gone = [
        each
        for name, each in sorted(known.items())
        if name not in wanted and (looked_at is None or each.subject_id in looked_at)
    ]
    missing = sorted(
        (each for name, each in wanted.items() if name not in known),
        key=lambda each: (-(each.expected_gain or 0), each.opportunity_type, each.subject_id),
    )
    endings = [
        Ending(opportunity_id=each.opportunity_id, reason=(reasons or {}).get(each.subject_id, NO_LONGER_FOUND))
        for each in gone[:limit]
    ]
    ended = [end(context, chunk, now) for chunk in in_chunks(endings, CHUNK)]
    created = sum(create_missing(context, chunk) for chunk in in_chunks(missing[:limit], CHUNK))
    moved = [
        wanted[name].model_copy(update={"opportunity_id": each.opportunity_id, "episode": each.episode})
        for name, each in known.items()
        if name in wanted and is_moved(each, wanted[name])
    ]
    return Reconciled(
        created=created,
        kept=len(wanted) - created - max(0, len(missing) - limit),
        refreshed=sum(refresh(context, chunk, now) for chunk in in_chunks(moved[:limit], CHUNK)),
        closed=sum(each.closed for each in ended),
        released=sum(each.released for each in ended),
        remaining=max(0, len(missing) - limit) + max(0, len(gone) - limit) + max(0, len(moved) - limit),
    )


def is_moved(stored: Opportunity, fresh: Opportunity) -> bool:
    """Tell whether the figures of a stored opportunity are to be replaced by those computed now.

    Only those of new ones ever are: what somebody works on keeps the prediction it was taken up for, so that the
    outcome is compared with that.
    """
    if not stored.holds or stored.status != "new":
        return False
    before, after = stored.expected_gain or 0.0, fresh.expected_gain or 0.0
    if abs(after - before) > max(REFRESH_SHARE * abs(before), REFRESH_VISITS) or stored.currency != fresh.currency:
        return True
    worth, now_worth = stored.expected_value_minor or 0, fresh.expected_value_minor or 0
    a_visit = now_worth / after if after > 0 else 0.0
    return abs(now_worth - worth) > REFRESH_SHARE * worth + a_visit


def refresh(context: Context, fresh: Sequence[Opportunity], now: datetime) -> int:
    """Replace the figures of stored opportunities where they have moved, in one transaction; return how many.

    Args:
        context: Tenant and clients.
        fresh: Opportunities as computed now, with the ids of the stored ones; 500 at most.
        now: Moment of the scan.
    """
    by_id = {each.opportunity_id: each for each in fresh}

    def work(work: Work) -> int:
        records = work.get_many(OPPORTUNITIES, by_id)
        moved = [record for name, record in records.items() if is_moved(record.value, by_id[name])]
        for record in moved:
            figures = {name: getattr(by_id[record.value.opportunity_id], name) for name in GAIN_FIELDS}
            work.update(OPPORTUNITIES, record, record.value.model_copy(update=figures | {"updated_at": now}))
        return len(moved)

    return transact(context, work, answers=False)


def create_missing(context: Context, candidates: Sequence[Opportunity]) -> int:
    """Create the opportunities that do not exist, in one transaction; return how many.

    A candidate's episode is the newest the caller knows of. Where that one is over (it does not hold any more), the
    following episode is tried, so what the caller did not know yet cannot revive or double anything.

    Args:
        context: Tenant and clients.
        candidates: Opportunities that hold, each of another subject or type; 500 at most.
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


def end(context: Context, endings: Sequence[Ending], moment: datetime | None = None) -> Ended:
    """Close or release opportunities in one transaction; those that are over already stay as they are.

    Args:
        context: Tenant and clients.
        endings: 500 at most.
        moment: When they ended; None for now.
    """
    now = moment or datetime.now(UTC)
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
        Conflict: ``invalid_transition``, ``outcome_measured``.
        Unprocessable: ``content_not_found``, ``not_dismissed``, ``not_completed``, ``invalid_action_date``.
    """
    given = body.model_fields_set
    now = datetime.now(UTC)

    def work(work: Work) -> Opportunity:
        record = work.get_for_update(OPPORTUNITIES, opportunity_id)
        changed = record.value
        if body.status is not None and body.status != changed.status:
            changed = _moved(changed, body.status, now)
        if body.acted_at is not None:
            changed = _acted(changed, body.acted_at, now)
        if "dismissed_reason" in given:
            changed = _explained(changed, body.dismissed_reason)
        if "content_id" in given and body.content_id != changed.content_id:
            _check_content(work, body.content_id)
            changed = changed.model_copy(update={"content_id": body.content_id})
        if changed != record.value:
            changed = changed.model_copy(update={"updated_at": now})
        return work.update(OPPORTUNITIES, record, changed)

    return write_record(context, work)


def _at_episode(context: Context, candidate: Opportunity, episode: int) -> Opportunity:
    name = opportunity_id_of(context.tenant_id, candidate.opportunity_type, candidate.subject_id, episode)
    return candidate.model_copy(update={"opportunity_id": name, "episode": episode})


def _by_identity(
    types: Collection[OpportunityType], candidates: Sequence[Opportunity]
) -> dict[tuple[OpportunityType, str], Opportunity]:
    found: dict[tuple[OpportunityType, str], Opportunity] = {}
    for each in candidates:
        name = (each.opportunity_type, each.subject_id)
        if each.opportunity_type not in types or not each.subject_id or name in found:
            raise ValueError(f"a candidate of another type, without or with the subject of another one: {name}")
        found[name] = each
    return found


def _moved(opportunity: Opportunity, status: OpportunityStatus, now: datetime) -> Opportunity:
    if status not in TRANSITIONS[opportunity.status]:
        raise _invalid(f"an opportunity that is {opportunity.status} cannot become {status}")
    if status == "new" and not opportunity.holds:
        raise _invalid("it no longer holds; if it comes back the scan makes a new one")
    reason = opportunity.dismissed_reason if status == "dismissed" else None
    changes: dict[str, Any] = {"status": status, "dismissed_reason": reason}
    if status == "in_progress":
        changes["started_at"] = now
    if status == "completed":
        changes |= {"acted_at": now, "outcome_due_at": horizons.first_due(now)}
    return opportunity.model_copy(update=changes)


def _acted(opportunity: Opportunity, acted_at: datetime, now: datetime) -> Opportunity:
    """Return the opportunity with the moment somebody says it was acted on."""
    if opportunity.status != "completed":
        raise _refused("not_completed", "only a completed opportunity was acted on")
    if acted_at == opportunity.acted_at:
        return opportunity
    if opportunity.outcome_state is not None:
        message = "an outcome was measured from the moment known before"
        error = FieldError(pointer="/acted_at", code="outcome_measured", message=message)
        raise Conflict("outcome_measured", message, errors=[error])
    if not opportunity.detected_at <= acted_at <= now:
        message = "it was acted on between its detection, which the prediction is of, and now"
        raise _refused("invalid_action_date", message)
    moment = acted_at.astimezone(UTC)
    return opportunity.model_copy(update={"acted_at": moment, "outcome_due_at": horizons.first_due(moment)})


def _refused(code: str, message: str) -> Unprocessable:
    return Unprocessable(code, message, errors=[FieldError(pointer="/acted_at", code=code, message=message)])


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
