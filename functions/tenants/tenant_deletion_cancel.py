"""Call the deletion of a tenant off."""

from common.answers import Record
from common.context import Context
from common.tenants.deletion import service
from common.tenants.models import Tenant
from triggers import http


@http.delete(
    "/v1/tenants/{tenant_id}/deletion",
    scope="tenants:write",
    tenancy="platform",
    if_match="optional",
    needs={"firestore:write": "marks the tenant as what it was before"},
)
def tenant_deletion_cancel(tenant_id: str, context: Context) -> Record[Tenant]:
    """Bring a tenant back as it was before its deletion was ordered, and let its work go on."""
    return service.cancel(context, tenant_id)
