"""Read what the tenant of the credential has of what it may have."""

from common.context import Context
from common.tenants import quota
from common.tenants.models import TenantUsage
from triggers import http


@http.get("/v1/tenant/usage", scope="tenants:read", needs={"firestore:read": "counts what there is"})
def own_tenant_usage(context: Context) -> TenantUsage:
    """Return how much of every resource your tenant may have and has, counted now."""
    return quota.usage(context, context.tenant_id)
