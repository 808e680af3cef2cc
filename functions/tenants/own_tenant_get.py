"""Read the tenant of the credential."""

from common.context import Context
from common.tenants import quota
from common.tenants.models import OwnTenant
from triggers import http


@http.get("/v1/tenant", scope="tenants:read", needs={"firestore:read": "reads the tenant"})
def own_tenant_get(context: Context) -> OwnTenant:
    """Return your tenant: its name, what is booked, and how much of everything it may have."""
    return quota.own(context)
