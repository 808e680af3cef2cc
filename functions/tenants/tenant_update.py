"""Change a tenant."""

from common.answers import Record
from common.context import Context
from common.tenants import tenants
from common.tenants.models import Tenant, TenantUpdate
from triggers import http


@http.patch(
    "/v1/tenants/{tenant_id}",
    scope="tenants:write",
    tenancy="platform",
    if_match="required",
    needs={"firestore:write": "changes the tenant"},
)
def tenant_update(tenant_id: str, body: TenantUpdate, context: Context) -> Record[Tenant]:
    """Change a tenant's name or tier."""
    return tenants.update(context, tenant_id, body)
