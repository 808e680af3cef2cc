"""Making a new tenant ready: a workflow of steps that goes on after a crash where it stopped.

Each step is harmless to repeat, and is noted as done in a transaction of its own once its effect is durable: whoever
goes on begins with the first step that is not noted, which may have been carried out without having been noted. The
event of the creation starts it and is delivered until it works; operators can start it again (``retry``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from common.answers import Record
from common.context import Context
from common.crypto import keys
from common.errors import Conflict, PoisonEvent, Refusal, Unavailable
from common.identifiers import derived_uuid
from common.logs import logger
from common.store import Repository, Work, transact
from common.tasks import enqueue
from common.tenants.companies.entities import COMPANIES
from common.tenants.companies.models import Company
from common.tenants.entities import TENANTS
from common.tenants.models import SetupStep, SetupTask, StepName, Tenant, TenantSetup, all_pending
from common.warehouse.provision import provision_tenant

RUN_TASK = "tenants-tenant-setup-run"


def steps_of(now: datetime, *, for_people: bool) -> list[SetupStep]:
    """Return the steps of a new tenant.

    The invite of the first administrator belongs to the creation itself. A tenant without one is used by programs
    alone, and has no company of its own.
    """
    made: dict[StepName, SetupStep] = {}
    if for_people:
        made["first_admin"] = SetupStep(name="first_admin", status="done", done_at=now)
    else:
        made = {name: SetupStep(name=name, status="skipped") for name in ("defaults", "first_admin")}
    return [made.get(step.name, step) for step in all_pending()]


def run(context: Context, tenant_id: str) -> None:
    """Do what is left of making a tenant ready; harmless to repeat, and at once by two.

    A tenant that is gone, to be deleted or ready is left as it is.

    Raises:
        Unavailable: A dependency does not answer; run it again. Every error is noted on the tenant before.
    """
    own = context.for_tenant(tenant_id)
    for step in _begun(own):
        try:
            STEPS[step.name](own)
            _note_done(own, step.name)
        except Exception as error:
            _note_failure(own, step.name, error)
            raise


def retry(context: Context, tenant_id: str) -> Record[Tenant]:
    """Let a task go on with making a tenant ready.

    Raises:
        NotFound: ``tenant_not_found``.
        Conflict: ``setup_not_pending``: it is ready, or to be deleted.
    """
    record = Repository(TENANTS, context).get(tenant_id)
    if record.value.status != "provisioning":
        raise Conflict("setup_not_pending", f"The tenant is {record.value.status}; there is nothing left to set up.")
    enqueue(context, RUN_TASK, SetupTask(tenant_id=tenant_id))
    return record


def _warehouse(own: Context) -> None:
    provision_tenant(own, own.tenant_id)


def _data_key(own: Context) -> None:
    keys.ensure(own, own.tenant_id)


def _defaults(own: Context) -> None:
    """Give the tenant a company of its own, for its brand; its id is derived, so there is never a second one."""
    company_id = str(derived_uuid("own-company", own.tenant_id))

    def work(work: Work) -> None:
        tenant = work.find(TENANTS, own.tenant_id)
        if tenant is not None and work.find(COMPANIES, company_id) is None:
            now = datetime.now(UTC)
            work.create(
                COMPANIES, Company(company_id=company_id, name=tenant.value.name, created_at=now, updated_at=now)
            )

    transact(own, work, answers=False)


def _nothing(own: Context) -> None:
    """What there is to do is done where the step is noted."""


STEPS: Mapping[StepName, Callable[[Context], None]] = {
    "warehouse": _warehouse,
    "data_key": _data_key,
    "defaults": _defaults,
    "first_admin": _nothing,
    "activation": _nothing,
}


def _begun(own: Context) -> list[SetupStep]:
    """Note that a run begins; return the steps that are left."""

    def work(work: Work) -> list[SetupStep]:
        record = work.find(TENANTS, own.tenant_id)
        if record is None or record.value.status != "provisioning":
            return []
        setup = record.value.setup or TenantSetup(steps=steps_of(datetime.now(UTC), for_people=False))
        begun = setup.model_copy(update={"status": "running", "attempts": setup.attempts + 1})
        work.update(TENANTS, record, record.value.model_copy(update={"setup": begun, "updated_at": datetime.now(UTC)}))
        return [step for step in begun.steps if step.status == "pending"]

    return transact(own, work, answers=False)


def _note_done(own: Context, name: StepName) -> None:
    """Note a step as done, with what belongs to the note: the last one sets the tenant active."""
    now = datetime.now(UTC)

    def work(work: Work) -> None:
        record = work.find(TENANTS, own.tenant_id)
        if record is None or record.value.setup is None or record.value.status != "provisioning":
            return
        setup = record.value.setup
        done = SetupStep(name=name, status="done", done_at=now)
        steps = [done if step.name == name and step.status == "pending" else step for step in setup.steps]
        is_ready = all(step.status != "pending" for step in steps)
        changed = setup.model_copy(
            update={"steps": steps, "last_error": None, "status": "done" if is_ready else "running"}
        )
        status = {"status": "active"} if is_ready else {}
        work.update(TENANTS, record, record.value.model_copy(update={"setup": changed, "updated_at": now, **status}))

    transact(own, work, answers=False)


def _note_failure(own: Context, name: StepName, error: Exception) -> None:
    """Note why a run ended; where that cannot be noted either, the log tells."""
    reason = f"{name}: {_reason(error)}"

    def work(work: Work) -> None:
        record = work.find(TENANTS, own.tenant_id)
        if record is None or record.value.setup is None or record.value.status != "provisioning":
            return
        failed = record.value.setup.model_copy(update={"status": "failed", "last_error": reason})
        work.update(TENANTS, record, record.value.model_copy(update={"setup": failed, "updated_at": datetime.now(UTC)}))

    logger(own).error("tenant_setup_failed", step=name, reason=reason)
    try:
        transact(own, work, answers=False)
    except Unavailable as away:
        logger(own).warning("tenant_setup_failure_not_noted", reason=away.detail)


def _reason(error: Exception) -> str:
    """Return what operators may read of an error: the words of our own errors, else only its kind."""
    if isinstance(error, Refusal | Unavailable | PoisonEvent):
        return error.detail[:300]
    return type(error).__name__
