"""Carrying the plan out: a task for each tenant whose tracking is on, and there a task for every few keywords due.

The schedule asks one indexed question: which tenants have tracking on. It asks nothing where the deployment has no
provider. A tenant's task asks for ranges of keyword ids (``plan``), never for all keywords. Tasks are named by what
they are about, so a run that is repeated makes none twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from common import technical
from common.aso.entities import KEYWORDS
from common.aso.models import Keyword, Priority
from common.aso.site.entities import ASO_SETTINGS
from common.aso.site.service import Site, site_of
from common.aso.tracking import budget, plan
from common.aso.tracking.chain import most
from common.aso.tracking.checking import device_of
from common.aso.tracking.deployment import Deployment, deployment_of
from common.aso.tracking.models import BATCH, FetchTask, PlanTask
from common.aso.tracking.plan import TIERS, Position, Step
from common.context import Context
from common.held_work import resting
from common.store import Repository, in_chunks
from common.tasks import enqueue
from common.technical import RANK_PLANS

PLAN_TASK = "aso-rank-plan-tenant"
FETCH_TASK = "aso-rank-fetch"
TENANTS = 300
"""Tenants of one listing."""
PAGE = 200
"""Keywords of one listing."""
MOST_PLANNED = 5000
"""Keywords that one run plans for a tenant; what is left is the next run's."""


def enqueue_tenants(context: Context, now: datetime | None = None) -> int:
    """Make one task for each tenant whose tracking is on and that does not rest; return how many.

    Args:
        context: Circumstances of the schedule.
        now: The present; None for the clock.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer; running again makes the missing ones.
    """
    if not deployment_of(context.clients.settings).providers:
        return 0
    hour = plan.hour_of(now or datetime.now(UTC))
    count, rests = 0, resting(context)
    for tenant_id in _tracked(context):
        if tenant_id in rests:
            continue
        name = f"plan-{tenant_id}-{hour}"
        enqueue(context.for_tenant(tenant_id), PLAN_TASK, PlanTask(hour=hour), name=name)
        count += 1
    return count


def _tracked(context: Context) -> Iterator[str]:
    """Yield the tenants whose tracking is on."""
    last = ""
    while True:
        filters = [("tracking.enabled", "==", True), ("tenant_id", ">", last)]
        records = Repository(ASO_SETTINGS, context).select(filters, ("tenant_id",), TENANTS)
        for record in records:
            yield record.value.tenant_id
        if len(records) < TENANTS:
            return
        last = records[-1].value.tenant_id


@dataclass(slots=True)
class Progress:
    """How far a tenant's plan is.

    Attributes:
        tiers: Position by tier.
        day: Day that ``planned`` counts.
        planned: Keywords planned on it.
    """

    tiers: dict[Priority, Position] = field(default_factory=dict)
    day: str = ""
    planned: int = 0

    @classmethod
    def read(cls, fields: Mapping[str, Any] | None, day: str) -> Progress:
        """Return the progress that a document tells of."""
        fields = fields or {}
        told: Mapping[str, Any] = fields.get("tiers") or {}
        tiers = {tier: Position(hour=told[tier]["hour"], after=told[tier]["after"]) for tier in TIERS if tier in told}
        return cls(tiers=tiers, day=day, planned=int(fields.get("planned", 0)) if fields.get("day") == day else 0)

    def fields(self) -> dict[str, Any]:
        """Return what a document keeps of it."""
        tiers = {tier: {"hour": each.hour, "after": each.after} for tier, each in self.tiers.items()}
        return {"tiers": tiers, "day": self.day, "planned": self.planned}


def progress_of(context: Context, now: datetime) -> tuple[Progress, Mapping[str, Any]]:
    """Return how far a tenant's plan is, and the last failures of its providers by name."""
    found = technical.read(context, _path(context))
    fields = None if found is None else found[0]
    return Progress.read(fields, _day(now)), (fields or {}).get("failures", {})


def plan_tenant(context: Context, task: PlanTask, now: datetime | None = None) -> int:
    """Make the tasks of the checks that are due for a tenant; return how many keywords they hold.

    What the day's budget has no room for keeps its place in the order.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer; running again goes on where this run ended.
    """
    now = now or datetime.now(UTC)
    deployment, site = deployment_of(context.clients.settings), site_of(context)
    if not site.tracking.enabled or not site.hosts or not deployment.chain(site.tracking.providers):
        return 0
    progress, _ = progress_of(context, now)
    allowance = _allowance(context, deployment, site, progress, now)
    run = _Run(context, site, progress, min(task.hour, plan.hour_of(now)), now)
    for tier in TIERS:
        allowance -= run.tier(tier, allowance)
    return run.planned


def _allowance(context: Context, deployment: Deployment, site: Site, progress: Progress, now: datetime) -> int:
    """Return how many keywords may be planned now: what the budget has room for and no earlier task will use."""
    limits = budget.limits_of(deployment, site.tracking.budget)
    price = most(deployment.chain(site.tracking.providers), -(-site.tracking.depth // 10))
    ledger = budget.ledger_of(context, now)
    spent = ledger.day(_day(now))
    room = limits.room(spent, ledger.month, price)
    if room is None:
        return MOST_PLANNED
    waiting = max(0, progress.planned - spent.checks)
    return max(0, min(MOST_PLANNED, room - waiting))


@dataclass(slots=True)
class _Run:
    """One run of a tenant's plan.

    Attributes:
        planned: Keywords that were planned.
    """

    context: Context
    site: Site
    progress: Progress
    hour: int
    now: datetime
    planned: int = 0

    def tier(self, tier: Priority, allowance: int) -> int:
        """Plan what is due of a tier, within the allowance; return how many keywords."""
        slots = plan.slots_of(plan.days_of(self.site.tracking.plan, tier))
        position, before = self.progress.tiers.get(tier), self.planned
        for step in plan.due(position, self.hour, slots):
            if not self._step(tier, step, allowance - (self.planned - before)):
                break
            self._reached(tier, Position(hour=step.hour))
        return self.planned - before

    def _step(self, tier: Priority, step: Step, allowance: int) -> bool:
        """Plan the keywords of one slot; tell whether all of them are."""
        ids = step.ids
        while True:
            limit = min(PAGE, allowance)
            keywords = self._select(tier, ids, limit + 1)
            if limit > 0:
                self._enqueue(tier, step.hour, keywords[:limit])
            if len(keywords) <= limit:
                return True
            if limit <= 0:
                if tier not in self.progress.tiers:
                    self._reached(tier, Position(hour=step.hour - 1))
                return False
            last = keywords[limit - 1].keyword_id
            self._reached(tier, Position(hour=step.hour - 1, after=last))
            ids = plan.IdRange(first=f"{last}\0", end=ids.end)
            allowance -= limit

    def _select(self, tier: Priority, ids: plan.IdRange, limit: int) -> list[Keyword]:
        filters = [("priority", "==", tier), ("keyword_id", ">=", ids.first), ("keyword_id", "<", ids.end)]
        return [record.value for record in Repository(KEYWORDS, self.context).select(filters, ("keyword_id",), limit)]

    def _enqueue(self, tier: Priority, hour: int, keywords: list[Keyword]) -> None:
        names = [each.keyword_id for each in keywords if device_of(each, self.site) is not None]
        for chunk in in_chunks(names, BATCH):
            batch = f"{tier}-{hour}-{chunk[0]}-{len(chunk)}"
            body = FetchTask(batch=batch, planned_at=self.now, keyword_ids=list(chunk))
            enqueue(self.context, FETCH_TASK, body, name=f"{self.context.tenant_id}-{batch}")
        self.planned += len(names)
        self.progress.planned += len(names)

    def _reached(self, tier: Priority, position: Position) -> None:
        """Remember how far the plan is, so that a run after a crash goes on there."""
        known = self.progress.tiers.get(tier)
        if known == position:
            return
        self.progress.tiers[tier] = position
        told = {**self.progress.fields(), "tenant_id": self.context.tenant_id}

        def change(fields: dict[str, Any] | None) -> tuple[dict[str, Any] | None, None]:
            return {**(fields or {}), **told}, None

        technical.changed(self.context, _path(self.context), change)


def _path(context: Context) -> str:
    return f"{RANK_PLANS.path}/{context.tenant_id}"


def _day(now: datetime) -> str:
    return now.astimezone(UTC).date().isoformat()
