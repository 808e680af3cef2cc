"""Deleting a tenant, as operators see it: a plan, an order that confirms it, a grace in which it can be called off.

An order needs the token of a plan, so nobody deletes what he has not looked at; the token is of that tenant in that
version and lasts an hour. From the order on the tenant's credentials are refused and its work waits; nothing is erased
before the grace is over, and cancelling brings everything back as it was.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from common.answers import Record
from common.context import Context
from common.errors import BadRequest, Conflict, FieldError, NotFound, Unprocessable
from common.pagination import open_cursor, sign_cursor
from common.protection import holds
from common.store import Repository, Work
from common.technical import DATA_KEYS, read
from common.tenants.deletion.models import DeletionPlan, DeletionRequest, TenantDeletion
from common.tenants.deletion.stores import everything
from common.tenants.entities import TENANTS
from common.tenants.models import Tenant
from common.tenants.tenants import require_staying, with_new_state

CONFIRMED_FOR = timedelta(hours=1)
FINGERPRINT = "plan of a tenant's deletion"
"""What tells the token of a plan from every other text that the deployment signs."""


def plan(context: Context, tenant_id: str) -> DeletionPlan:
    """Return what a deletion would erase, counted now; nothing happens.

    Raises:
        NotFound: ``tenant_not_found``.
        Conflict: ``tenant_deleted``.
        Locked: ``legal_hold``.
    """
    record = Repository(TENANTS, context).get(tenant_id)
    require_staying(record.value)
    own = context.for_tenant(tenant_id)
    holds.require_none_at_all(own)
    found = everything(own)
    documents = found.get("documents", {})
    expires_at = datetime.now(UTC) + CONFIRMED_FOR
    parts = [tenant_id, record.etag, int(expires_at.timestamp())]
    key = read(own, f"{DATA_KEYS.path}/{tenant_id}")
    return DeletionPlan(
        tenant_id=tenant_id,
        name=record.value.name,
        documents=documents,
        technical=found.get("technical", {}),
        tables=found.get("tables", {}),
        files=found.get("files", {}),
        cached=sum(found.get("cached", {}).values()),
        accounts=documents.get("user", 0),
        data_key=key is not None and key[0].get("destroyed_at") is None,
        confirm=sign_cursor(context.clients.settings, parts, FINGERPRINT),
        expires_at=expires_at,
    )


def schedule(context: Context, tenant_id: str, body: DeletionRequest) -> Record[Tenant]:
    """Order the deletion of a tenant.

    Raises:
        NotFound: ``tenant_not_found``.
        PreconditionFailed: ``stale_etag``.
        Unprocessable: ``confirm_invalid``: not the token of a plan for this tenant.
        Conflict: ``plan_expired`` or ``plan_outdated``: plan again; ``deletion_already_scheduled``;
            ``tenant_deleted``.
        Locked: ``legal_hold``.
    """
    Repository(TENANTS, context).get(tenant_id)  # a tenant that is not there has no plan whose token could be wrong
    planned = _opened(context, tenant_id, body.confirm)

    def work(work: Work) -> Tenant:
        record = work.get_for_update(TENANTS, tenant_id)
        tenant = record.value
        require_staying(tenant)
        if tenant.status == "deletion_scheduled":
            due_at = None if tenant.deletion_due_at is None else tenant.deletion_due_at.isoformat()
            raise Conflict(
                "deletion_already_scheduled", "The tenant is to be deleted already.", details={"due_at": due_at}
            )
        if record.etag != planned:
            raise Conflict("plan_outdated", "The tenant was changed since the plan was made; plan again.")
        holds.require_none_at_all(work.context, work)
        now = datetime.now(UTC)
        deletion = TenantDeletion(
            requested_at=now,
            requested_by=context.principal.id,
            reason=body.reason,
            grace_days=body.grace_days,
            due_at=now + timedelta(days=body.grace_days),
            status_before=tenant.status,
        )
        changes = {
            "status": "deletion_scheduled",
            "deletion": deletion,
            "deletion_status": "scheduled",
            "deletion_due_at": deletion.due_at,
            "updated_at": now,
        }
        return work.update(TENANTS, record, tenant.model_copy(update=changes))

    return with_new_state(context, tenant_id, work)


def cancel(context: Context, tenant_id: str) -> Record[Tenant]:
    """Call a deletion off: the tenant is what it was before; the event of it lets its work go on.

    Raises:
        NotFound: ``tenant_not_found``; ``deletion_not_found``: there is none to call off.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``deletion_begun``: the erasure has begun, or is over.
    """

    def work(work: Work) -> Tenant:
        record = work.get_for_update(TENANTS, tenant_id)
        tenant, deletion = record.value, record.value.deletion
        if deletion is None or tenant.deletion_status == "cancelled":
            raise NotFound("deletion_not_found", "The tenant is not to be deleted.")
        if tenant.status != "deletion_scheduled":
            raise Conflict("deletion_begun", "The erasure has begun; nothing brings the tenant back.", audited=True)
        now = datetime.now(UTC)
        cancelled = deletion.model_copy(update={"cancelled_at": now, "cancelled_by": context.principal.id})
        changes = {
            "status": deletion.status_before,
            "deletion": cancelled,
            "deletion_status": "cancelled",
            "deletion_due_at": None,
            "updated_at": now,
        }
        return work.update(TENANTS, record, tenant.model_copy(update=changes))

    return with_new_state(context, tenant_id, work)


def get(context: Context, tenant_id: str) -> Record[TenantDeletion]:
    """Return what is known of the deletion of a tenant, the last one that was asked for.

    Raises:
        NotFound: ``tenant_not_found`` or ``deletion_not_found``.
    """
    record = Repository(TENANTS, context).get(tenant_id)
    if record.value.deletion is None:
        raise NotFound("deletion_not_found", "Nobody asked to delete this tenant.")
    return Record(value=record.value.deletion, update_time=record.update_time)


def _opened(context: Context, tenant_id: str, confirm: str) -> str:
    """Return the version of the tenant that the token's plan was made of."""
    try:
        planned_for, etag, expires_at = open_cursor(context.clients.settings, confirm, FINGERPRINT)
    except BadRequest:
        raise _invalid() from None
    if planned_for != tenant_id:
        raise _invalid()
    if int(expires_at) <= datetime.now(UTC).timestamp():
        raise Conflict("plan_expired", "The plan is older than an hour; plan again.")
    return str(etag)


def _invalid() -> Unprocessable:
    message = "This is not the token of a plan for this tenant."
    error = FieldError(pointer="/confirm", code="confirm_invalid", message=message)
    return Unprocessable("confirm_invalid", message, errors=[error], audited=True)
