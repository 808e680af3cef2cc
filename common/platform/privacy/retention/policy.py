"""What a tenant chose about retention, within the bounds of each class, and the inventory of what is kept how long."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from common.answers import Page, Record
from common.context import Context
from common.errors import FieldError, PreconditionFailed, Unprocessable
from common.platform.privacy.retention.entities import RETENTION_POLICIES, RETENTION_RUNS
from common.platform.privacy.retention.models import (
    ClassView,
    EnforcedBy,
    KindView,
    RetentionInput,
    RetentionPolicy,
    RetentionRun,
    RetentionView,
    RunListQuery,
    TechnicalView,
)
from common.registry import EntityRecord, FactsRecord, entities, facts
from common.retention import CLASSES, PURPOSE, RetentionClass, period
from common.store import Repository, Work, write_record
from common.technical import COLLECTIONS
from common.warehouse.marks import EVERYTHING, set_marks

NEVER = datetime.fromtimestamp(0, UTC)
"""Version of a policy that nobody has set."""


def shown(context: Context) -> Record[RetentionView]:
    """Return the inventory with the periods in force, under the version of the tenant's choice."""
    record = Repository(RETENTION_POLICIES, context).find(context.tenant_id)
    if record is None:
        return Record(value=view(RetentionPolicy(tenant_id=context.tenant_id)), update_time=NEVER)
    return Record(value=view(record.value), update_time=record.update_time)


def chosen(context: Context) -> Mapping[str, int]:
    """Return the days by class that the tenant chose."""
    record = Repository(RETENTION_POLICIES, context).find(context.tenant_id)
    return {} if record is None else record.value.periods


def put(context: Context, body: RetentionInput) -> Record[RetentionView]:
    """Choose periods; what is over by the new ones goes with the next enforcement.

    Raises:
        Unprocessable: ``unknown_class``, ``class_without_end``, ``period_out_of_bounds``.
        PreconditionFailed: ``stale_etag``.
    """
    require_allowed(body.periods)
    now = datetime.now(UTC)

    def work(work: Work) -> RetentionView:
        record = work.find(RETENTION_POLICIES, context.tenant_id)
        etag = Record(value=body, update_time=NEVER).etag if record is None else record.etag
        if context.if_match not in {None, "*", etag}:
            message = "The policy was changed since; read it again."
            raise PreconditionFailed("stale_etag", message, details={"current_etag": etag})
        policy = RetentionPolicy(
            tenant_id=context.tenant_id, periods=body.periods, updated_at=now, updated_by=context.principal.id
        )
        if record is None:
            work.create(RETENTION_POLICIES, policy)
        else:
            work.update(RETENTION_POLICIES, record, policy)
        return view(policy)

    stored = write_record(context, work)
    set_marks(context, context.tenant_id, [(PURPOSE, EVERYTHING)])
    return stored


def require_allowed(periods: Mapping[str, int]) -> None:
    """Refuse periods that a class does not allow.

    Raises:
        Unprocessable: ``unknown_class``, ``class_without_end``, ``period_out_of_bounds``.
    """
    errors = [error for name, days in periods.items() if (error := _wrong(name, days)) is not None]
    if errors:
        raise Unprocessable(errors[0].code, "Retention cannot be set like this.", errors=errors)


def view(policy: RetentionPolicy) -> RetentionView:
    """Return the inventory under a policy."""
    technical = {each.path: each.ttl for each in COLLECTIONS if each.ttl is not None}
    return RetentionView(
        periods=policy.periods,
        classes=[_class_view(each, policy.periods) for each in CLASSES.values()],
        technical=[TechnicalView(collection=path, ttl=ttl) for path, ttl in sorted(technical.items())],
        updated_at=policy.updated_at,
        updated_by=policy.updated_by,
    )


def enforced_by(kind: EntityRecord | FactsRecord) -> EnforcedBy:
    """Tell who sees to it that records of a kind go."""
    if isinstance(kind, EntityRecord) and kind.ttl is not None:
        return "firestore_ttl"
    return "platform" if CLASSES[kind.retention].ends else "tenant_deletion"


def runs(context: Context, query: RunListQuery) -> Page[RetentionRun]:
    """Return a page of what enforcements did, the latest first.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    return Repository(RETENTION_RUNS, context).page((), ("-started_at",), limit=query.limit, cursor=query.cursor)


def _class_view(each: RetentionClass, periods: Mapping[str, int]) -> ClassView:
    kept = period(each.name, periods)
    kinds: list[EntityRecord | FactsRecord] = [*entities().values(), *facts().values()]
    return ClassView(
        name=each.name,
        reason=each.reason,
        source=each.source,
        default_days=each.days,
        shortest_days=each.shortest,
        longest_days=each.longest,
        days=None if kept is None else kept.days,
        kinds=[_kind_view(kind) for kind in kinds if kind.retention == each.name],
    )


def _kind_view(kind: EntityRecord | FactsRecord) -> KindView:
    aged_by = kind.aged_by if isinstance(kind, EntityRecord) else kind.table.partition
    return KindView(
        name=kind.name,
        domain=kind.domain,
        purpose=kind.purpose,
        aged_by=aged_by if CLASSES[kind.retention].ends else None,
        enforced_by=enforced_by(kind),
        warehouse=kind.table is not None,
    )


def _wrong(name: str, days: int) -> FieldError | None:
    pointer, each = f"/periods/{name}", CLASSES.get(name)
    if each is None:
        return FieldError(pointer=pointer, code="unknown_class", message="there is no such class of retention")
    if not each.ends:
        message = "records of this class stay until the tenant, or somebody, deletes them"
        return FieldError(pointer=pointer, code="class_without_end", message=message)
    if not each.allows(days):
        message = f"records of this class are kept for {each.shortest} to {each.longest} days"
        return FieldError(pointer=pointer, code="period_out_of_bounds", message=message)
    return None
