"""Erasing a tenant when its grace is over: a chain of tasks that survives crashes, and proves that nothing is left.

The schedule looks for deletions that are due and begins them: from that transaction on nothing brings the tenant back.
Each step erases one store, is harmless to repeat, and is noted as done on the tenant, so a run that died is taken up at
its step; the schedule starts runs again that gave no sign of life. The data key goes last: whatever it sealed, in
backups too, is unreadable from then on. Then everything is counted again, and only when nothing at all is found the
tenant becomes what is left of it: id, times, who asked, and what there was.

Steps wait before the first and before the key (``SETTLE``): processes remember a tenant's state for a minute, requests
and tasks that were under way end within half an hour, and tokens of other providers are given back with the key by the
change feed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from common import raw_documents
from common.api_keys import credentials_cache
from common.context import Context
from common.crypto import keys
from common.errors import Locked, Unavailable, XynergyError
from common.logs import logger
from common.protection import holds
from common.registry import entities
from common.store import Repository, Work, transact
from common.tasks import enqueue
from common.technical import selected
from common.tenants.deletion.models import DeletionStatus, EraseTask, TenantDeletion
from common.tenants.deletion.stores import STORES, everything
from common.tenants.entities import TENANTS
from common.tenants.models import Tenant
from common.tenants.people.claims import withdraw
from common.tenants.people.entities import USERS

TASK = "tenants-tenant-erase"
LONGEST_RUN = 1800
RESERVE = 60.0
"""Seconds before the end of its time at which a run hands over to the next task."""

SETTLE = 1800.0
"""Seconds before the first step, and before the key is destroyed."""

SILENCE = timedelta(minutes=75)
"""After which a run counts as lost: longer than a task may take, and than a step settles."""

AT_ONCE = 50
"""Tenants that one run of the schedule looks at."""

MOST_ROUNDS = 5
"""Times that everything is erased again because something was found after all; then people have to look."""

PEOPLE = 200


FAILED_PAUSE = timedelta(days=1)
"""After which everything is tried again where something kept being found."""


class Paused(XynergyError):
    """The run has to end now; the next task goes on."""


def begin_due(context: Context, now: datetime | None = None) -> int:
    """Begin the erasures that are due, and go on with those that gave no sign of life; return how many.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer; the next run of the schedule goes on.
    """
    now = now or datetime.now(UTC)
    tenants = Repository(TENANTS, context)
    count = 0
    silent: tuple[tuple[DeletionStatus, timedelta], ...] = (("running", SILENCE), ("failed", FAILED_PAUSE))
    for status, age in silent:
        for record in tenants.select([("deletion_status", "==", status)], (), AT_ONCE):
            if record.update_time < now - age:
                own = context.for_tenant(record.value.tenant_id)
                anew = {"rounds": 0} if status == "failed" else {}
                _changed(own, functools.partial(TenantDeletion.model_copy, update=anew))
                _next_run(context, own.tenant_id, delay=0)
                count += 1
    due = [("deletion_status", "==", "scheduled"), ("deletion_due_at", "<=", now)]
    for record in tenants.select(due, ("deletion_due_at",), AT_ONCE):
        count += _begun(context, record.value.tenant_id, now)
    return count


def run(context: Context, tenant_id: str) -> None:
    """Erase what is left to erase, as far as the time allows; harmless to repeat, and at once by two.

    Raises:
        Unavailable: A store does not answer; the task is tried again. Every error is noted on the tenant before.
    """
    own = context.for_tenant(tenant_id)
    step = _current(own)
    while step is not None:
        try:
            STEPS[step](own, lambda: _alive(own))
            following, settle = _advanced(own, step)
        except Paused:
            _next_run(context, tenant_id, delay=0)
            return
        except Exception as error:
            _note_failure(own, step, error)
            raise
        if settle:
            _next_run(context, tenant_id)
            return
        step = following


def _begun(context: Context, tenant_id: str, now: datetime) -> int:
    """Take a due tenant past the point of return, unless it was called off or a hold was placed; then make its task."""

    def work(work: Work) -> bool:
        record = work.find(TENANTS, tenant_id)
        tenant = None if record is None else record.value
        if record is None or tenant is None or tenant.deletion is None or tenant.status != "deletion_scheduled":
            return False
        if tenant.deletion.due_at > now:
            return False
        holds.require_none_at_all(work.context, work)
        changes = {
            "status": "erasing",
            "name": "",
            "suspended_reason": None,
            "deletion_status": "running",
            "deletion": tenant.deletion.model_copy(update={"begun_at": now, "step": FIRST}),
            "updated_at": now,
        }
        work.update(TENANTS, record, tenant.model_copy(update=changes))
        return True

    own = context.for_tenant(tenant_id)
    try:
        begun = transact(own, work, answers=False)
    except Locked as hold:
        logger(own).warning("tenant_deletion_held", reason=hold.detail)
        return 0
    if begun:
        context.clients.get(credentials_cache).tenants.forget(tenant_id)
        _next_run(context, tenant_id)
    return int(begun)


def _next_run(context: Context, tenant_id: str, delay: float = SETTLE) -> None:
    """Make the task that goes on; it is work of the platform, since the tenant does none any more."""
    if context.clients.settings.is_local:
        delay = 0
    enqueue(context, TASK, EraseTask(tenant_id=tenant_id), delay=delay, dispatch_deadline=LONGEST_RUN)


def _alive(context: Context) -> None:
    if context.deadline.remaining < RESERVE:
        raise Paused


# ---------------------------------------------------------------------- steps


def _people(own: Context, alive: Callable[[], None]) -> None:
    """Take the tenant away from people's accounts at the identity provider, while it is known whose they are."""
    query, after = raw_documents.query(own, entities()[USERS.name]).select([]).order_by("__name__"), None
    while True:
        page = selected(own, (query if after is None else query.start_after({"__name__": after})).limit(PEOPLE))
        for snapshot in page:
            withdraw(own, snapshot.id)
            alive()
        if len(page) < PEOPLE:
            return
        after = page[-1].reference


def _key(own: Context, alive: Callable[[], None]) -> None:
    keys.destroy(own, own.tenant_id)
    alive()


def _nothing(own: Context, alive: Callable[[], None]) -> None:
    """Counting is part of the note."""
    del own
    alive()


STEPS: Mapping[str, Callable[[Context, Callable[[], None]], None]] = {
    "people": _people,
    **{name: store.erase for name, store in STORES.items()},
    "data_key": _key,
    "residue": _nothing,
}
ORDER = tuple(STEPS)
FIRST, LAST = ORDER[0], ORDER[-1]


def _current(own: Context) -> str | None:
    """Return the step to go on with, or None where there is nothing to erase; note what there is, the first time."""
    record = Repository(TENANTS, own).find(own.tenant_id)
    if record is None or record.value.status != "erasing" or record.value.deletion is None:
        return None
    if record.value.deletion.found or record.value.deletion.step != FIRST:
        return record.value.deletion.step
    found = {f"{store}/{kind}": count for store, kinds in everything(own).items() for kind, count in kinds.items()}

    def note(deletion: TenantDeletion) -> TenantDeletion:
        return deletion if deletion.found else deletion.model_copy(update={"found": found})

    _changed(own, note)
    return FIRST


def _advanced(own: Context, step: str) -> tuple[str | None, bool]:
    """Note a step as done; return the next one and whether it has to settle before."""
    if step != LAST:
        following = ORDER[ORDER.index(step) + 1]
        _changed(own, lambda each: each.model_copy(update={"step": following, "attempts": 0, "last_error": None}), step)
        return following, following == "data_key" and not own.clients.settings.is_local
    left = everything(own)
    if not left:
        _finish(own)
        return None, False
    logger(own).error("tenant_residue", left=left)
    reason = f"Found after everything was erased: {left}"[:500]
    again: DeletionStatus = "running" if _rounds(own) + 1 < MOST_ROUNDS else "failed"

    def repeated(deletion: TenantDeletion) -> TenantDeletion:
        return deletion.model_copy(update={"step": FIRST, "rounds": deletion.rounds + 1, "last_error": reason})

    _changed(own, repeated, step, status=again)
    return None, again == "running"


def _rounds(own: Context) -> int:
    record = Repository(TENANTS, own).find(own.tenant_id)
    return 0 if record is None or record.value.deletion is None else record.value.deletion.rounds


def _changed(
    own: Context,
    change: Callable[[TenantDeletion], TenantDeletion],
    step: str | None = None,
    *,
    status: DeletionStatus = "running",
) -> None:
    """Change what is known of an erasure under way; nothing where another run is past ``step`` already."""

    def work(work: Work) -> None:
        record = work.find(TENANTS, own.tenant_id)
        if record is None or record.value.status != "erasing" or record.value.deletion is None:
            return
        if step is not None and record.value.deletion.step != step:
            return
        update = {
            "deletion": change(record.value.deletion),
            "deletion_status": status,
            "updated_at": datetime.now(UTC),
        }
        work.update(TENANTS, record, record.value.model_copy(update=update))

    transact(own, work, answers=False)


def _finish(own: Context) -> None:
    """Leave what remains of the tenant: nothing of its content, enough to know that there was one."""

    def work(work: Work) -> None:
        record = work.find(TENANTS, own.tenant_id)
        if record is None or record.value.status != "erasing" or record.value.deletion is None:
            return
        now = datetime.now(UTC)
        over = {"reason": None, "step": None, "last_error": None, "attempts": 0, "finished_at": now}
        rest = Tenant(
            tenant_id=own.tenant_id,
            name="",
            tier=record.value.tier,
            status="deleted",
            deletion=record.value.deletion.model_copy(update=over),
            deletion_status="done",
            created_at=record.value.created_at,
            updated_at=now,
        )
        work.update(TENANTS, record, rest)

    transact(own, work, answers=False)
    own.clients.get(credentials_cache).tenants.forget(own.tenant_id)


def _note_failure(own: Context, step: str, error: Exception) -> None:
    reason = f"{step}: {error.detail if isinstance(error, Unavailable) else type(error).__name__}"[:500]
    logger(own).error("tenant_erasure_failed", step=step, reason=reason)
    try:
        _changed(own, lambda each: each.model_copy(update={"attempts": each.attempts + 1, "last_error": reason}))
    except Unavailable as away:
        logger(own).warning("tenant_erasure_failure_not_noted", reason=away.detail)
