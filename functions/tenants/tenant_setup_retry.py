"""Try again to make a tenant ready."""

from common.answers import Record
from common.context import Context
from common.tenants import setup
from common.tenants.models import Tenant
from triggers import http


@http.post(
    "/v1/tenants/{tenant_id}/setup/retry",
    scope="tenants:write",
    tenancy="platform",
    status=202,
    needs={
        "firestore:read": "reads how far the tenant is",
        "tasks:enqueue:tenants-tenant-setup-run": "goes on with what is left",
    },
)
def tenant_setup_retry(tenant_id: str, context: Context) -> Record[Tenant]:
    """Go on with the set-up of a tenant that is stuck; ``setup`` of the tenant tells how far it comes."""
    return setup.retry(context, tenant_id)
