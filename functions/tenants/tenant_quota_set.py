"""Agree on other limits with a tenant than its tier has."""

from common.answers import Record
from common.context import Context
from common.tenants import quota
from common.tenants.models import QuotaSet, Tenant
from triggers import http


@http.put(
    "/v1/tenants/{tenant_id}/quota",
    scope="tenants:write",
    tenancy="platform",
    if_match="required",
    needs={"firestore:write": "counts what there is and stores the limits"},
)
def tenant_quota_set(tenant_id: str, body: QuotaSet, context: Context) -> Record[Tenant]:
    """Replace the limits that were agreed for a tenant; a limit below what it has is refused unless you accept that."""
    return quota.agree(context, tenant_id, body)
