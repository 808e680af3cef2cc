"""Resume a suspended tenant."""

from common.answers import Record
from common.context import Context
from common.tenants import tenants
from common.tenants.models import Tenant
from triggers import http


@http.post(
    "/v1/tenants/{tenant_id}/resume",
    scope="tenants:write",
    tenancy="platform",
    if_match="optional",
    needs={"firestore:write": "marks the tenant as active"},
)
def tenant_resume(tenant_id: str, context: Context) -> Record[Tenant]:
    """Accept a suspended tenant's credentials again, everywhere within a minute. Resuming twice changes nothing."""
    return tenants.resume(context, tenant_id)
