"""Enforcing retention: a schedule that finds tenants by a mark, and a task per tenant that removes what is over.

* **Found by a mark.** A tenant's mark says when the first of its records will be over; the daily schedule asks only for
  marks whose time has come. It is looked again after a week at the latest, because records may come with old dates.
* **Bounded and resumable.** Documents go in batches of a transaction each, the oldest first; a task that nears its
  deadline makes a follow-up. Whatever crashes, the next run finds what is left: removing again changes nothing.
* **Holds.** The transaction that removes reads the active holds. What they keep is passed over and stays due; the
  release of a hold makes the tenant due again.
* **Like any deletion.** Documents are deleted as everywhere: with a tombstone and an event, so warehouse, caches and
  audit trail follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from common import raw_documents, technical
from common.context import Context
from common.identifiers import derived_uuid
from common.logs import logger
from common.model import rfc3339
from common.platform.privacy.retention import warehouse
from common.platform.privacy.retention.due import (
    aging_entities,
    aging_facts,
    count,
    is_held,
    is_older,
    keeping_all,
    next_due,
    over,
)
from common.platform.privacy.retention.entities import RETENTION_RUNS
from common.platform.privacy.retention.models import RetentionRun, RetentionTask
from common.platform.privacy.retention.policy import chosen
from common.protection.holds import active
from common.registry import EntityRecord, FactsRecord
from common.retention import CLASSES, PURPOSE, cutoff, period
from common.store import Work, transact
from common.tasks import enqueue
from common.technical import selected
from common.warehouse import marks
from common.warehouse.due import DISPATCH_SECONDS, enqueue_due

TASK = "platform-retention-tenant"
BATCH = 100
"""Documents of one transaction, if their unique values leave room."""
RESERVE = 60.0
"""Seconds before the deadline at which a task hands over."""
LOOK_AGAIN = timedelta(days=7)
"""After which a tenant is looked at although nothing was known to become due."""
NEXT_DAY = timedelta(days=1)


@dataclass(slots=True)
class Enforced:
    """What a task did so far.

    Attributes:
        removed: Documents removed, by kind.
        kept: Documents that a hold kept, by kind.
        rows: Rows removed from the warehouse, by kind.
        complete: Whether everything due was looked at.
        unsettled: Whether the warehouse has still to hear of something.
    """

    removed: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    complete: bool = False
    unsettled: bool = False

    @property
    def did_something(self) -> bool:
        """Whether there is anything to record."""
        return any(count for counts in (self.removed, self.kept, self.rows) for count in counts.values())


def begin(context: Context, tenant_id: str) -> None:
    """Make a tenant due, so that from now on it is looked after.

    Raises:
        Unavailable: Firestore does not answer.
    """
    marks.set_marks(context, tenant_id, [(PURPOSE, marks.EVERYTHING)])


def enqueue_tenants(context: Context, now: datetime | None = None) -> int:
    """Make a task for every tenant with something due; return how many.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer.
    """
    return enqueue_due(context, PURPOSE, TASK, lambda claim: RetentionTask(working_since=claim.working_since), now=now)


def enforce_claimed(context: Context, task: RetentionTask, now: datetime | None = None) -> Enforced:
    """Enforce retention for the tenant of a task, record what was done, and end the claim or hand over.

    Raises:
        Unavailable: A dependency does not answer; the task is tried again.
    """
    now = now or datetime.now(UTC)
    periods, done = chosen(context), Enforced()
    try:
        enforce(context, periods, done, now)
    finally:
        _record(context, task, periods, done, now)
    if not done.complete:
        following = RetentionTask(working_since=task.working_since, part=task.part + 1)
        name = f"retention-{context.tenant_id}-{round(task.working_since.timestamp() * 1000)}-{following.part}"
        enqueue(context, TASK, following, name=name, dispatch_deadline=DISPATCH_SECONDS)
        return done
    wake_at = _wake_at(context, periods, now, unsettled=done.unsettled)
    marks.finish(context, PURPOSE, context.tenant_id, marks.EVERYTHING, task.working_since, wake_at=wake_at)
    return done


def enforce(context: Context, periods: Mapping[str, int], done: Enforced, now: datetime) -> None:
    """Remove what is over, as far as the deadline lets it, and note in ``done`` what was removed.

    Raises:
        Unavailable: A dependency does not answer.
    """
    for entity in aging_entities():
        before = cutoff(entity.retention, periods, now)
        if before is not None and not _remove_documents(context, entity, before, done):
            return
    appended: list[EntityRecord | FactsRecord] = [*filter(warehouse.is_appended, aging_entities()), *aging_facts()]
    for kind in appended:
        before = cutoff(kind.retention, periods, now)
        if context.deadline.remaining < RESERVE:
            return
        if before is None or keeping_all(kind, active(context)):
            continue
        if isinstance(kind, EntityRecord):
            rows = warehouse.remove_observations(context, kind, before)
        else:
            rows = warehouse.remove_facts(context, kind, before)
        done.unsettled |= rows is None
        _count(done.rows, kind.name, rows or 0)
    done.complete = True


def _remove_documents(context: Context, entity: EntityRecord, before: datetime, done: Enforced) -> bool:
    """Remove the documents of an entity that are over; False where the deadline came first."""
    size = min(BATCH, 450 // (2 + len(entity.unique)))
    query = over(context, entity, before)
    if keeping_all(entity, active(context)):
        _count(done.kept, entity.name, count(context, query))
        return True
    last = None
    while context.deadline.remaining > RESERVE:
        page = query if last is None else query.start_after(last)
        found = selected(context, page.limit(size))
        if not found:
            return True
        names = [snapshot.id for snapshot in found]
        removed, kept = transact(context, lambda work, names=names: _remove(work, entity, names, before))  # type: ignore[misc]
        _count(done.removed, entity.name, removed)
        _count(done.kept, entity.name, kept)
        done.unsettled |= removed > 0 and warehouse.is_appended(entity)
        last = found[-1]
    return False


def _remove(work: Work, entity: EntityRecord, names: Sequence[str], before: datetime) -> tuple[int, int]:
    """Remove those of some documents that are still over and not held; return how many went and how many stay."""
    holds = active(work.context, work)
    found = [each for each in raw_documents.read(work, entity, names) if is_older(entity, each.to_dict(), before)]
    if keeping_all(entity, holds):
        return 0, len(found)
    gone = [each for each in found if not is_held(work.context, entity, each, holds)]
    for snapshot in gone:
        raw_documents.delete(work, entity, snapshot)
    return len(gone), len(found) - len(gone)


def _wake_at(context: Context, periods: Mapping[str, int], now: datetime, *, unsettled: bool) -> datetime | None:
    """Return when the tenant is to be looked at next; None where it is gone."""
    if technical.read(context, f"tenants/{context.tenant_id}") is None:
        return None
    known = [next_due(context, entity, periods, now) for entity in aging_entities()]
    soonest = min((each for each in known if each is not None), default=now + LOOK_AGAIN)
    latest = now + (NEXT_DAY if unsettled else LOOK_AGAIN)
    return max(min(soonest, latest), now)


def _record(context: Context, task: RetentionTask, periods: Mapping[str, int], done: Enforced, now: datetime) -> None:
    """Add what was done to the record of the run; nothing, where nothing was."""
    if not done.did_something:
        return
    run_id = derived_uuid("retention_run", context.tenant_id, rfc3339(task.working_since))
    in_force = {name: kept.days for name in CLASSES if (kept := period(name, periods)) is not None}

    def work(work: Work) -> None:
        record = work.find(RETENTION_RUNS, str(run_id))
        before = record.value if record is not None else None
        after = RetentionRun(
            run_id=run_id,
            tenant_id=context.tenant_id,
            started_at=task.working_since,
            finished_at=now,
            complete=done.complete,
            removed=_sum({} if before is None else before.removed, done.removed),
            kept=_sum({}, done.kept),
            rows=_sum({} if before is None else before.rows, done.rows),
            periods=in_force,
        )
        if record is None:
            work.create(RETENTION_RUNS, after)
        else:
            work.update(RETENTION_RUNS, record, after)

    transact(context, work, answers=False)
    counts = {"removed": done.removed, "kept": done.kept, "rows": done.rows}
    logger(context).info("retention.enforced", complete=done.complete, **counts)


def _count(counts: dict[str, int], name: str, more: int) -> None:
    if more:
        counts[name] = counts.get(name, 0) + more


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}
