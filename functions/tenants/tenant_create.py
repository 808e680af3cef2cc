"""Create a tenant."""

from common.answers import Answer, Record
from common.context import Context
from common.tenants import tenants
from common.tenants.models import Tenant, TenantCreate
from triggers import http


@http.post(
    "/v1/tenants",
    scope="tenants:write",
    tenancy="platform",
    status=201,
    needs={"firestore:write": "stores the tenant, whose change event starts its provisioning"},
)
def tenant_create(body: TenantCreate, context: Context) -> Answer[Record[Tenant]]:
    """Create a tenant under an id of your choice or a generated one.

    It is ``provisioning`` until its data sets exist, usually for a few seconds, and then ``active``.
    """
    return tenants.create(context, body)
