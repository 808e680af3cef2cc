"""Order the deletion of a tenant."""

from common.answers import Record
from common.context import Context
from common.tenants.deletion import service
from common.tenants.deletion.models import DeletionRequest
from common.tenants.models import Tenant
from triggers import http


@http.post(
    "/v1/tenants/{tenant_id}/deletion",
    scope="tenants:write",
    tenancy="platform",
    status=202,
    if_match="optional",
    needs={"firestore:write": "marks the tenant as to be deleted"},
)
def tenant_deletion_schedule(tenant_id: str, body: DeletionRequest, context: Context) -> Record[Tenant]:
    """Refuse a tenant from now on, and erase everything it has when the grace is over; until then cancel to undo it.

    ``confirm`` is the token of a plan of this tenant, an hour old at most.
    """
    return service.schedule(context, tenant_id, body)
