"""Read what a tenant has of what it may have."""

from common.context import Context
from common.tenants import quota
from common.tenants.models import TenantUsage
from triggers import http


@http.get(
    "/v1/tenants/{tenant_id}/usage",
    scope="tenants:read",
    tenancy="platform",
    needs={"firestore:read": "counts what there is"},
)
def tenant_usage(tenant_id: str, context: Context) -> TenantUsage:
    """Return how much of every resource a tenant may have and has, counted now."""
    return quota.usage(context, tenant_id)
