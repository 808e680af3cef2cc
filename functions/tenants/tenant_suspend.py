"""Suspend a tenant."""

from common.answers import Record
from common.context import Context
from common.tenants import tenants
from common.tenants.models import Tenant, TenantSuspend
from triggers import http


@http.post(
    "/v1/tenants/{tenant_id}/suspend",
    scope="tenants:write",
    tenancy="platform",
    if_match="optional",
    needs={"firestore:write": "marks the tenant as suspended"},
)
def tenant_suspend(tenant_id: str, body: TenantSuspend, context: Context) -> Record[Tenant]:
    """Refuse every credential of a tenant, everywhere within a minute; its data stays.

    Suspending a suspended tenant changes nothing, not even the reason.
    """
    return tenants.suspend(context, tenant_id, body)
