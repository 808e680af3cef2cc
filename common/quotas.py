"""How much a tenant may have: limits by tier and resource, agreements that differ, and what is used of them.

A limit is what was booked, not a protection of the platform (that is what rate limits are for). Usage is therefore
counted where it is stored, by Firestore's count aggregation, and never kept in a counter: a counter document would let
a tenant create about one thing a second, and would drift with every deletion that forgot it.

How exact that is: a count sees everything that was committed before it, so a refusal is always right, and what is
refused by a remembered count is counted again first. Requests that check at the same moment do not see each other,
so a tenant may end above its limit by as many things as were being created in that moment; whoever then asks is refused
until the tenant is below it again. For a limit of what may be *had* that is enough, and nobody waits for a lock.

On the path of hot creations a count is remembered for a minute and raised by what this process lets through, as long as
a tenth of the limit is free; nearer to the limit every check counts. Aggregations cost one read per thousand entries.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from google.cloud.firestore_v1.base_query import FieldFilter

from common.api_keys import tenant_state
from common.clients.firestore import firestore_client
from common.context import Context
from common.errors import Forbidden
from common.firestore_calls import bounded, translated
from common.registry import EntityRecord, entities
from common.settings import Settings
from common.tenant_state import TenantState, TenantTier

Resource = Literal["users", "api_keys", "companies", "accounts", "keywords", "content_pieces", "imports_per_day"]

REMEMBERED = 60.0
"""Seconds for which a count is remembered."""

ROOMY = 0.1
"""Share of a limit that must be free for a remembered count to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """How much of a resource each tier may have, and how it is counted. None is no limit.

    Attributes:
        entity: Name of the entity whose documents are counted.
        free: Limit of the tier ``free``.
        pro: Limit of the tier ``pro``.
        enterprise: Limit of the tier ``enterprise``.
        where: Field and value of the documents that count.
        created_today: Only documents created since midnight UTC count.
    """

    entity: str
    free: int | None
    pro: int | None
    enterprise: int | None
    where: tuple[tuple[str, object], ...] = ()
    created_today: bool = False

    def of(self, tier: TenantTier) -> int | None:
        """Return the limit of a tier."""
        by_tier: Mapping[TenantTier, int | None] = {"free": self.free, "pro": self.pro, "enterprise": self.enterprise}
        return by_tier[tier]


LIMITS: Mapping[Resource, Limit] = {
    "users": Limit(entity="user", free=3, pro=50, enterprise=2_000, where=(("status", "active"),)),
    "api_keys": Limit(entity="api_key", free=5, pro=50, enterprise=500, where=(("status", "active"),)),
    "companies": Limit(entity="company", free=1, pro=25, enterprise=1_000),
    "accounts": Limit(entity="account", free=2, pro=100, enterprise=5_000),
    "keywords": Limit(entity="keyword", free=1_000, pro=100_000, enterprise=2_000_000),
    "content_pieces": Limit(entity="content_piece", free=200, pro=20_000, enterprise=500_000),
    "imports_per_day": Limit(
        entity="job", free=20, pro=500, enterprise=5_000, where=(("type", "keyword_import"),), created_today=True
    ),
}
"""What the tiers hold. The figures are this product's own; operators agree on others with a tenant by its quota."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """How much of a resource a tenant has.

    Attributes:
        resource: The resource.
        limit: How much it may have; None is no limit.
        used: How much it has.
        agreed: Whether the limit was agreed for this tenant, and is not its tier's.
    """

    resource: Resource
    limit: int | None
    used: int
    agreed: bool

    @property
    def is_over(self) -> bool:
        """Whether the tenant has more than it may."""
        return self.limit is not None and self.used > self.limit


class Counts:
    """What a process remembers of counts; thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[tuple[str, Resource], tuple[float, int]] = {}
        self._let_through: dict[tuple[str, Resource], int] = {}
        self._lock = threading.Lock()

    def let_through(self, tenant_id: str, resource: Resource) -> int:
        """Return how many were let through by now; asked before they are counted."""
        with self._lock:
            return self._let_through.get((tenant_id, resource), 0)

    def remembered(self, tenant_id: str, resource: Resource) -> int | None:
        """Return a count that is young enough, or None."""
        with self._lock:
            until, used = self._counts.get((tenant_id, resource), (0.0, 0))
            return used if self._clock() < until else None

    def remember(self, tenant_id: str, resource: Resource, used: int, since: int) -> None:
        """Keep what was counted.

        Args:
            tenant_id: Whose.
            resource: What was counted.
            used: The count.
            since: What ``let_through`` said before counting: what was let through meanwhile may not be in the count. If
                it is, too many are remembered, which only makes the next one count earlier.
        """
        with self._lock:
            now, key = self._clock(), (tenant_id, resource)
            meanwhile = max(0, self._let_through.get(key, 0) - since)
            self._counts = {known: entry for known, entry in self._counts.items() if entry[0] > now}
            self._counts[key] = (now + REMEMBERED, used + meanwhile)
            self._let_through = {known: n for known, n in self._let_through.items() if known in self._counts}

    def add(self, tenant_id: str, resource: Resource, adding: int) -> None:
        """Raise a remembered count by what was let through."""
        with self._lock:
            key = (tenant_id, resource)
            self._let_through[key] = self._let_through.get(key, 0) + adding
            known = self._counts.get(key)
            if known is not None:
                self._counts[key] = (known[0], known[1] + adding)


def counts_memory(_: Settings) -> Counts:
    """Build the memory of one process (a factory for ``Clients.get``)."""
    return Counts()


def limit_of(state: TenantState, resource: Resource) -> int | None:
    """Return how much of a resource a tenant may have: what was agreed with it, else what its tier holds."""
    if resource in state.quotas:
        return state.quotas[resource]
    return LIMITS[resource].of(state.tier)


def check(context: Context, resource: Resource, adding: int = 1) -> None:
    """Refuse to add more of a resource than the tenant may have.

    Args:
        context: Whose tenant is asked.
        resource: What is added.
        adding: How many.

    Raises:
        Forbidden: ``quota_exceeded`` with ``resource``, ``limit`` and ``used``.
        Unavailable: Firestore does not answer.
    """
    free = room(context, resource, adding)
    if free is None or free >= adding:
        context.clients.get(counts_memory).add(context.tenant_id, resource, adding)
        return
    raise exceeded(context, resource)


def room(context: Context, resource: Resource, adding: int = 1) -> int | None:
    """Return how many more of a resource the tenant may add; None is no limit.

    Args:
        context: Whose tenant is asked.
        resource: What is to be added.
        adding: How many are about to be; while a remembered count leaves room for them, it does.

    Raises:
        Unavailable: Firestore does not answer.
    """
    state = tenant_state(context.clients, context.tenant_id)
    limit = None if state is None else limit_of(state, resource)
    if limit is None:
        return None
    memory = context.clients.get(counts_memory)
    used = memory.remembered(context.tenant_id, resource)
    if used is None or limit - used - adding < limit * ROOMY:
        since = memory.let_through(context.tenant_id, resource)
        used = counted(context, resource)
        memory.remember(context.tenant_id, resource, used, since)
    return max(0, limit - used)


def added(context: Context, resource: Resource, count: int) -> None:
    """Tell what was added after ``room`` was asked, so that the remembered count follows."""
    context.clients.get(counts_memory).add(context.tenant_id, resource, count)


def exceeded(context: Context, resource: Resource) -> Forbidden:
    """Return the refusal of a tenant that has as much of a resource as it may."""
    state = tenant_state(context.clients, context.tenant_id)
    limit = None if state is None else limit_of(state, resource)
    used = context.clients.get(counts_memory).remembered(context.tenant_id, resource)
    words = resource.replace("_", " ")
    detail = f"The tenant may have {limit} {words} and has {used}. Remove some, or ask for a larger quota."
    return Forbidden("quota_exceeded", detail, details={"resource": resource, "limit": limit, "used": used})


def usage(context: Context, state: TenantState) -> list[Usage]:
    """Return what a tenant has of every resource, counted now.

    Args:
        context: Whose tenant is counted.
        state: Its tier and what was agreed with it; those that are asked for, where they are about to change.

    Raises:
        Unavailable: Firestore does not answer.
    """
    return [
        Usage(
            resource=resource,
            limit=limit_of(state, resource),
            used=counted(context, resource),
            agreed=resource in state.quotas,
        )
        for resource in get_args(Resource)
    ]


def counted(context: Context, resource: Resource) -> int:
    """Return how much of a resource the tenant has, counted now.

    Raises:
        Unavailable: Firestore does not answer.
    """
    limit = LIMITS[resource]
    query = _documents(context, entities()[limit.entity])
    for field, value in limit.where:
        query = query.where(filter=FieldFilter(field, "==", value))
    if limit.created_today:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        query = query.where(filter=FieldFilter("created_at", ">=", midnight))
    with translated():
        return int(query.count().get(**bounded(context.deadline))[0][0].value)


def _documents(context: Context, entity: EntityRecord) -> Any:
    client = context.clients.get(firestore_client)
    if entity.location == "tenant":
        return client.collection(f"tenants/{context.tenant_id}/{entity.collection}")
    return client.collection(entity.collection).where(filter=FieldFilter("tenant_id", "==", context.tenant_id))
