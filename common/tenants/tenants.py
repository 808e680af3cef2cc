"""Tenants: creating, reading, changing, suspending and resuming them.

``provisioning`` -> ``active`` by itself; ``active`` -> ``suspended`` -> ``active`` by operators. A suspended tenant
keeps its data; its credentials are refused everywhere within a minute. Suspending or resuming twice changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from common.answers import Answer, Page, Record
from common.api_keys import credentials_cache
from common.context import Context
from common.errors import Conflict
from common.store import Repository, Work, write_record
from common.tenants.entities import TENANTS
from common.tenants.models import Tenant, TenantCreate, TenantListQuery, TenantStatus, TenantSuspend, TenantUpdate


def create(context: Context, body: TenantCreate) -> Answer[Record[Tenant]]:
    """Create a tenant; the event of its creation makes it ready.

    Raises:
        Conflict: ``tenant_exists``.
    """
    tenant_id = body.tenant_id or f"t_{secrets.token_hex(8)}"
    now = datetime.now(UTC)
    tenant = Tenant(
        tenant_id=tenant_id, name=body.name, tier=body.tier, status="provisioning", created_at=now, updated_at=now
    )
    record = write_record(context.for_tenant(tenant_id), lambda work: work.create(TENANTS, tenant))
    return Answer(content=record, status=201, headers={"Location": f"/v1/tenants/{tenant_id}"})


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
    """
    changes = body.model_dump(exclude_unset=True)

    def work(work: Work) -> Tenant:
        record = work.get_for_update(TENANTS, tenant_id)
        changed = record.value.model_copy(update=changes)
        if changed != record.value:
            changed = changed.model_copy(update={"updated_at": datetime.now(UTC)})
        return work.update(TENANTS, record, changed)

    return write_record(context.for_tenant(tenant_id), work)


def suspend(context: Context, tenant_id: str, body: TenantSuspend) -> Record[Tenant]:
    """Refuse a tenant's credentials from now on: at once by this process, within a minute by all others.

    Raises:
        NotFound: ``tenant_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``invalid_transition``; it is still being made ready.
    """

    def work(work: Work) -> Tenant:
        record = work.get_for_update(TENANTS, tenant_id)
        if record.value.status == "suspended":
            return work.update(TENANTS, record, record.value)
        _require(record.value, "active", "suspended")
        now = datetime.now(UTC)
        changes = {"status": "suspended", "suspended_at": now, "suspended_reason": body.reason, "updated_at": now}
        return work.update(TENANTS, record, record.value.model_copy(update=changes))

    return _with_new_status(context, tenant_id, work)


def resume(context: Context, tenant_id: str) -> Record[Tenant]:
    """Accept a suspended tenant's credentials again.

    Raises:
        NotFound: ``tenant_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``invalid_transition``; it is still being made ready.
    """

    def work(work: Work) -> Tenant:
        record = work.get_for_update(TENANTS, tenant_id)
        if record.value.status == "active":
            return work.update(TENANTS, record, record.value)
        _require(record.value, "suspended", "active")
        changes = {"status": "active", "suspended_at": None, "suspended_reason": None, "updated_at": datetime.now(UTC)}
        return work.update(TENANTS, record, record.value.model_copy(update=changes))

    return _with_new_status(context, tenant_id, work)


def _with_new_status(context: Context, tenant_id: str, work: Callable[[Work], Tenant]) -> Record[Tenant]:
    record = write_record(context.for_tenant(tenant_id), work)
    context.clients.get(credentials_cache).tenants.forget(tenant_id)
    return record


def _require(tenant: Tenant, status: TenantStatus, wanted: TenantStatus) -> None:
    if tenant.status != status:
        message = f"a tenant that is {tenant.status} cannot become {wanted}"
        raise Conflict("invalid_transition", message)
