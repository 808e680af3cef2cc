"""Read a tenant."""

from common.answers import Record
from common.context import Context
from common.tenants import tenants
from common.tenants.models import Tenant
from triggers import http


@http.get(
    "/v1/tenants/{tenant_id}",
    scope="tenants:read",
    tenancy="platform",
    needs={"firestore:read": "reads the tenant"},
)
def tenant_get(tenant_id: str, context: Context) -> Record[Tenant]:
    """Return a tenant with its status."""
    return tenants.get(context, tenant_id)
