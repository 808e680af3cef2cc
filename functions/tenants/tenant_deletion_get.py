"""Read what is known of the deletion of a tenant."""

from common.answers import Record
from common.context import Context
from common.tenants.deletion import service
from common.tenants.deletion.models import TenantDeletion
from triggers import http


@http.get(
    "/v1/tenants/{tenant_id}/deletion",
    scope="tenants:read",
    tenancy="platform",
    needs={"firestore:read": "reads the tenant"},
)
def tenant_deletion_get(tenant_id: str, context: Context) -> Record[TenantDeletion]:
    """Return when a tenant is to be deleted, how far its erasure is, or what there was of a tenant that is gone."""
    return service.get(context, tenant_id)
