"""Plan the deletion of a tenant: a dry run."""

from common.context import Context
from common.tenants.deletion import service
from common.tenants.deletion.models import DeletionPlan
from triggers import http


@http.post(
    "/v1/tenants/{tenant_id}/deletion/plan",
    scope="tenants:write",
    tenancy="platform",
    rate="expensive",
    needs={
        "firestore:read": "counts the tenant's documents",
        "bigquery:read": "counts the rows of its tables",
        "storage:read": "counts its files",
        "redis:use": "counts its cached answers",
    },
)
def tenant_deletion_plan(tenant_id: str, context: Context) -> DeletionPlan:
    """Return what deleting a tenant would erase, and the token that confirms it. Nothing happens to the tenant."""
    return service.plan(context, tenant_id)
