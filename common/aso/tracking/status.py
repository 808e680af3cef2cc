"""What a tenant is told of the tracking of its ranks, and the checks it asks for now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from common.answers import Answer
from common.aso.entities import KEYWORDS
from common.aso.models import Priority
from common.aso.site.service import Site, site_of
from common.aso.tracking import budget, plan
from common.aso.tracking.chain import breaker_of, most
from common.aso.tracking.checking import device_of
from common.aso.tracking.deployment import Deployment, ProviderTerms, deployment_of
from common.aso.tracking.ledger import MILLI, Spent
from common.aso.tracking.models import (
    BATCH,
    CheckAccepted,
    CheckRequest,
    FetchTask,
    ProviderStatus,
    TierStatus,
    TrackingStatus,
    Used,
)
from common.aso.tracking.plan import TIERS, IdRange, Position
from common.aso.tracking.planning import FETCH_TASK, Progress, progress_of
from common.context import Context
from common.errors import Conflict, FieldError, TooManyRequests, Unprocessable
from common.identifiers import uuid7
from common.store import Repository, in_chunks
from common.tasks import enqueue

DETAILS = {
    "on": "Keywords are checked by the plan.",
    "off": "Tracking is off in the settings.",
    "no_provider": "The deployment has none of the providers that the settings ask for.",
    "no_site": "The settings name no host of the site, so nothing could be found.",
}


def status(context: Context, now: datetime | None = None) -> TrackingStatus:
    """Return whether and how the ranks of a tenant are checked.

    Raises:
        Unavailable: Firestore does not answer.
    """
    now = now or datetime.now(UTC)
    deployment, site = deployment_of(context.clients.settings), site_of(context)
    progress, failures = progress_of(context, now)
    tiers = [_tier(context, site, progress, tier, now) for tier in TIERS]
    ledger = budget.ledger_of(context, now)
    limits = budget.limits_of(deployment, site.tracking.budget)
    state = _state(deployment, site)
    return TrackingStatus(
        state=state,
        detail=DETAILS[state],
        plan=site.tracking.plan,
        depth=site.tracking.depth,
        tiers=tiers,
        checks_a_day=round(plan.checks_a_day({each.tier: each.keywords for each in tiers}, site.tracking.plan), 2),
        planned_today=progress.planned,
        currency=deployment.currency,
        budget=site.tracking.budget,
        day=_used(ledger.day(now.date().isoformat()), limits.checks_per_day, limits.milli_per_day),
        month=_used(ledger.month, limits.checks_per_month, limits.milli_per_month),
        providers=list(_providers(context, deployment, site, failures)),
        today=now.astimezone(UTC).date().isoformat(),
    )


def check_now(context: Context, body: CheckRequest, now: datetime | None = None) -> Answer[CheckAccepted]:
    """Make the tasks of checks that somebody asks for, as far as the budget has room.

    Raises:
        Conflict: ``no_provider``: the deployment has none of the providers wanted; ``no_site``: no own host is set.
        Unprocessable: ``keyword_not_found``.
        TooManyRequests: ``budget_exhausted``: there is no room for a single one.
    """
    now = now or datetime.now(UTC)
    deployment, site = deployment_of(context.clients.settings), site_of(context)
    names = list(dict.fromkeys(body.keyword_ids))
    found = Repository(KEYWORDS, context).get_many(names)
    missing = next((name for name in names if name not in found), None)
    if missing is not None:
        raise _no_keyword(body.keyword_ids.index(missing))
    terms = _ready(deployment, site)
    checkable = [name for name in names if device_of(found[name].value, site) is not None]
    price = most(terms, -(-site.tracking.depth // 10))
    room = budget.room(context, budget.limits_of(deployment, site.tracking.budget), price, now)
    accepted = checkable if room is None else checkable[:room]
    if checkable and not accepted:
        message = "the budget leaves no room for another check today"
        raise TooManyRequests("budget_exhausted", message, headers={"Retry-After": str(_seconds_left(now))})
    for chunk in in_chunks(accepted, BATCH):
        task = FetchTask(batch=f"now-{uuid7()}", planned_at=now, keyword_ids=list(chunk), on_demand=True)
        enqueue(context, FETCH_TASK, task, name=f"{context.tenant_id}-{task.batch}")
    answer = CheckAccepted(
        accepted=len(accepted),
        over_budget=len(checkable) - len(accepted),
        not_checkable=len(names) - len(checkable),
    )
    return Answer(content=answer, status=202)


def _state(deployment: Deployment, site: Site) -> Any:
    if not site.tracking.enabled:
        return "off"
    if not deployment.chain(site.tracking.providers):
        return "no_provider"
    return "on" if site.hosts else "no_site"


def _ready(deployment: Deployment, site: Site) -> list[ProviderTerms]:
    terms = deployment.chain(site.tracking.providers)
    if not terms:
        raise Conflict("no_provider", DETAILS["no_provider"])
    if not site.hosts:
        raise Conflict("no_site", DETAILS["no_site"])
    return terms


def _no_keyword(index: int) -> Unprocessable:
    message = "this keyword is not followed"
    error = FieldError(pointer=f"/keyword_ids/{index}", code="keyword_not_found", message=message)
    return Unprocessable("keyword_not_found", message, errors=[error])


def _seconds_left(now: datetime) -> int:
    """Return the seconds until the UTC day ends."""
    return 86_400 - int(now.timestamp()) % 86_400


def _tier(context: Context, site: Site, progress: Progress, tier: Priority, now: datetime) -> TierStatus:
    days = plan.days_of(site.tracking.plan, tier)
    position = progress.tiers.get(tier)
    of_tier: tuple[str, str, object] = ("priority", "==", tier)
    repository = Repository(KEYWORDS, context)
    due = 0
    if site.tracking.enabled:
        for ids in _due_ranges(position, plan.hour_of(now), plan.slots_of(days)):
            due += repository.count([of_tier, ("keyword_id", ">=", ids.first), ("keyword_id", "<", ids.end)])
    return TierStatus(
        tier=tier,
        days=days,
        keywords=repository.count([of_tier]),
        due=due,
        planned_until=None if position is None else datetime.fromtimestamp((position.hour + 1) * 3600, UTC),
    )


def _due_ranges(position: Position | None, hour: int, slots: int) -> Iterator[IdRange]:
    """Yield the ids that are due, neighbouring slots as one range: two ranges at most."""
    held: IdRange | None = None
    for step in plan.due(position, hour, slots):
        if held is not None and held.end == step.ids.first:
            held = IdRange(first=held.first, end=step.ids.end)
            continue
        if held is not None:
            yield held
        held = step.ids
    if held is not None:
        yield held


def _used(spent: Spent, checks: int | None, milli: int | None) -> Used:
    return Used(
        checks=spent.checks,
        checks_limit=checks,
        spend_minor=-(-spent.milli // MILLI),
        spend_limit_minor=None if milli is None else milli // MILLI,
    )


def _providers(
    context: Context, deployment: Deployment, site: Site, failures: Mapping[str, Any]
) -> Iterator[ProviderStatus]:
    """Yield the deployment's providers in the order in which they are asked, then those that are wanted in vain."""
    chain = [each.name for each in deployment.chain(site.tracking.providers)]
    known = {each.name: each for each in deployment.providers}
    for name in dict.fromkeys([*chain, *known, *site.tracking.providers]):
        terms = known.get(name)
        failure = failures.get(name)
        yield ProviderStatus(
            name=name,
            configured=terms is not None,
            order=chain.index(name) + 1 if name in chain else None,
            price_per_thousand_minor=None if terms is None else terms.price_per_thousand_minor,
            circuit=None if terms is None else breaker_of(context.clients, terms.name).status().state,
            last_failure=None if failure is None else failure["code"],
            last_failure_at=None if failure is None else failure["at"],
        )
