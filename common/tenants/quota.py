"""What a tenant may have and has: shown to its people, agreed on and looked at by operators."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

from common import quotas
from common.answers import Record
from common.api_keys import credentials_cache
from common.context import Context
from common.errors import Conflict
from common.quotas import Resource, limit_of
from common.store import Repository, Work, write_record
from common.tenant_state import LEAVING, TenantState
from common.tenants.entities import TENANTS
from common.tenants.models import OwnTenant, QuotaSet, ResourceUsage, Tenant, TenantUsage


def own(context: Context) -> OwnTenant:
    """Return the tenant of the credential with its limits."""
    tenant = Repository(TENANTS, context).get(context.tenant_id).value
    state = state_of(tenant)
    return OwnTenant(
        tenant_id=tenant.tenant_id,
        name=tenant.name,
        tier=tenant.tier,
        status=tenant.status,
        limits={resource: limit_of(state, resource) for resource in get_args(Resource)},
        created_at=tenant.created_at,
    )


def usage(context: Context, tenant_id: str) -> TenantUsage:
    """Return what a tenant has of every resource, counted now.

    Raises:
        NotFound: ``tenant_not_found``.
    """
    tenant = Repository(TENANTS, context).get(tenant_id).value
    counted = quotas.usage(context.for_tenant(tenant_id), state_of(tenant))
    resources = [
        ResourceUsage(resource=each.resource, limit=each.limit, used=each.used, agreed=each.agreed) for each in counted
    ]
    return TenantUsage(tenant_id=tenant_id, tier=tenant.tier, resources=resources, counted_at=datetime.now(UTC))


def agree(context: Context, tenant_id: str, body: QuotaSet) -> Record[Tenant]:
    """Replace the limits that were agreed for a tenant.

    Raises:
        NotFound: ``tenant_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``quota_below_usage`` with what is over, unless that was accepted; ``tenant_deleted``.
    """
    before = Repository(TENANTS, context).get(tenant_id).value
    if body.below_usage == "refuse":
        require_room(context, before, before.model_copy(update={"quotas": body.limits}))

    def work(work: Work) -> Tenant:
        record = work.get_for_update(TENANTS, tenant_id)
        if record.value.status in LEAVING:
            raise Conflict("tenant_deleted", "The tenant is deleted; nothing about it can be changed.")
        if record.value.quotas == body.limits:
            return work.update(TENANTS, record, record.value)
        changes = {"quotas": body.limits, "updated_at": datetime.now(UTC)}
        return work.update(TENANTS, record, record.value.model_copy(update=changes))

    record = write_record(context.for_tenant(tenant_id), work)
    context.clients.get(credentials_cache).tenants.forget(tenant_id)
    return record


def require_room(context: Context, before: Tenant, after: Tenant) -> None:
    """Refuse limits that become smaller than what the tenant has.

    What was over already, and is not made any tighter, is nobody's news.

    Raises:
        Conflict: ``quota_below_usage`` with ``over``: resource, limit and what is used of each; audited.
    """
    old, new = state_of(before), state_of(after)
    tighter = [name for name in get_args(Resource) if _is_less(limit_of(new, name), limit_of(old, name))]
    if not tighter:
        return
    own_context = context.for_tenant(before.tenant_id)
    over = [
        {"resource": name, "limit": limit_of(new, name), "used": used}
        for name in tighter
        if (used := quotas.counted(own_context, name)) > (limit_of(new, name) or 0)
    ]
    if over:
        names = ", ".join(str(each["resource"]) for each in over)
        detail = f"The tenant has more than these limits allow: {names}. Send below_usage 'accept' to set them anyway."
        raise Conflict("quota_below_usage", detail, details={"over": over}, audited=True)


def state_of(tenant: Tenant) -> TenantState:
    """Return what mechanisms know of a tenant."""
    return TenantState(status=tenant.status, tier=tenant.tier, quotas=dict(tenant.quotas.items()))


def _is_less(limit: int | None, other: int | None) -> bool:
    return limit is not None and (other is None or limit < other)
