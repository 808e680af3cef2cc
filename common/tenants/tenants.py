"""Tenants: creating, reading, changing, suspending and resuming them.

``provisioning`` -> ``active`` by itself; ``active`` -> ``suspended`` -> ``active`` by operators; any of these ->
``deletion_scheduled`` -> back by cancelling, or ``erasing`` -> ``deleted`` (``common.tenants.deletion``). A suspended
tenant keeps its data; its credentials are refused everywhere within a minute, and its work waits. Suspending or
resuming twice changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from common.answers import Answer, Page, Record
from common.api_keys import credentials_cache
from common.context import Context
from common.errors import Conflict
from common.store import Repository, Work, transact, write_record
from common.tenant_state import LEAVING, TenantStatus
from common.tenants.entities import TENANTS
from common.tenants.models import (
    Tenant,
    TenantCreate,
    TenantCreated,
    TenantListQuery,
    TenantSetup,
    TenantSuspend,
    TenantUpdate,
)
from common.tenants.people import invites
from common.tenants.quota import require_room
from common.tenants.setup import steps_of


def create(context: Context, body: TenantCreate) -> Answer[Record[TenantCreated]]:
    """Create a tenant; the event of its creation makes it ready.

    The first administrator is invited in the same transaction. That answer is secret: it shows the token, this one
    time, and is not kept for a repetition of the request.

    Raises:
        Conflict: ``tenant_exists``, or ``tenant_id_used``: a tenant of this id was deleted, and ids are not used twice.
    """
    tenant_id = body.tenant_id or f"t_{secrets.token_hex(8)}"
    now = datetime.now(UTC)
    own = context.for_tenant(tenant_id)

    def work(work: Work) -> TenantCreated:
        _require_unused(work, tenant_id)
        token = None
        if body.admin_email is not None:
            _, token = invites.prepare(work, email=body.admin_email, role="admin")
        tenant = Tenant(
            tenant_id=tenant_id,
            name=body.name,
            tier=body.tier,
            status="provisioning",
            setup=TenantSetup(steps=steps_of(now, for_people=token is not None)),
            created_at=now,
            updated_at=now,
        )
        work.create(TENANTS, tenant)
        return TenantCreated(**tenant.model_dump(), invite_token=token)

    headers = {"Location": f"/v1/tenants/{tenant_id}"}
    if body.admin_email is None:
        return Answer(content=write_record(own, work), status=201, headers=headers)
    shown = transact(own, lambda unit: Answer(content=work(unit), status=201, headers=headers, secret=True)).content
    version = Repository(TENANTS, own).get(tenant_id).update_time
    return Answer(content=Record(value=shown, update_time=version), status=201, headers=headers, secret=True)


def get(context: Context, tenant_id: str) -> Record[Tenant]:
    """Return a tenant.

    Raises:
        NotFound: ``tenant_not_found``.
    """
    return Repository(TENANTS, context).get(tenant_id)


def listed(context: Context, query: TenantListQuery) -> Page[Tenant]:
    """Return a page of all tenants, newest first.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    filters = [] if query.status is None else [("status", "==", query.status)]
    return Repository(TENANTS, context).page(filters, ("-created_at",), limit=query.limit, cursor=query.cursor)


def update(context: Context, tenant_id: str, body: TenantUpdate) -> Record[Tenant]:
    """Change a tenant's name or tier.

    Raises:
        NotFound: ``tenant_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``quota_below_usage`` where the new tier holds less than the tenant has, with what is over;
            ``tenant_deleted``.
    """
    changes = body.model_dump(exclude_unset=True, exclude={"below_usage"})
    if body.tier is not None and body.below_usage == "refuse":
        before = get(context, tenant_id).value
        require_room(context, before, before.model_copy(update={"tier": body.tier}))

    def work(work: Work) -> Tenant:
        record = work.get_for_update(TENANTS, tenant_id)
        require_staying(record.value)
        changed = record.value.model_copy(update=changes)
        if changed != record.value:
            changed = changed.model_copy(update={"updated_at": datetime.now(UTC)})
        return work.update(TENANTS, record, changed)

    return with_new_state(context, tenant_id, work)


def suspend(context: Context, tenant_id: str, body: TenantSuspend) -> Record[Tenant]:
    """Refuse a tenant's credentials from now on: at once by this process, within a minute by all others.

    Raises:
        NotFound: ``tenant_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``invalid_transition``; it is still being made ready, or to be deleted.
    """

    def work(work: Work) -> Tenant:
        record = work.get_for_update(TENANTS, tenant_id)
        if record.value.status == "suspended":
            return work.update(TENANTS, record, record.value)
        _require(record.value, "active", "suspended")
        now = datetime.now(UTC)
        changes = {"status": "suspended", "suspended_at": now, "suspended_reason": body.reason, "updated_at": now}
        return work.update(TENANTS, record, record.value.model_copy(update=changes))

    return with_new_state(context, tenant_id, work)


def resume(context: Context, tenant_id: str) -> Record[Tenant]:
    """Accept a suspended tenant's credentials again; the event of it lets its work go on.

    Raises:
        NotFound: ``tenant_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``invalid_transition``; it is still being made ready, or to be deleted.
    """

    def work(work: Work) -> Tenant:
        record = work.get_for_update(TENANTS, tenant_id)
        if record.value.status == "active":
            return work.update(TENANTS, record, record.value)
        _require(record.value, "suspended", "active")
        changes = {"status": "active", "suspended_at": None, "suspended_reason": None, "updated_at": datetime.now(UTC)}
        return work.update(TENANTS, record, record.value.model_copy(update=changes))

    return with_new_state(context, tenant_id, work)


def with_new_state(context: Context, tenant_id: str, work: Callable[[Work], Tenant]) -> Record[Tenant]:
    """Write a tenant and let this process forget what it remembered of it."""
    record = write_record(context.for_tenant(tenant_id), work)
    context.clients.get(credentials_cache).tenants.forget(tenant_id)
    return record


def require_staying(tenant: Tenant) -> None:
    """Refuse to change a tenant that is being erased, or is gone.

    Raises:
        Conflict: ``tenant_deleted``.
    """
    if tenant.status in LEAVING:
        raise Conflict("tenant_deleted", "The tenant is deleted; nothing about it can be changed.")


def _require_unused(work: Work, tenant_id: str) -> None:
    found = work.find(TENANTS, tenant_id)
    if found is not None and found.value.status in LEAVING:
        raise Conflict("tenant_id_used", "A tenant of this id was deleted; ids are not used twice.", audited=True)


def _require(tenant: Tenant, status: TenantStatus, wanted: TenantStatus) -> None:
    if tenant.status != status:
        message = f"a tenant that is {tenant.status} cannot become {wanted}"
        raise Conflict("invalid_transition", message)
