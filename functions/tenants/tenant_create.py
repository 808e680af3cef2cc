"""Create a tenant."""

from common.answers import Answer, Record
from common.context import Context
from common.tenants import tenants
from common.tenants.models import TenantCreate, TenantCreated
from triggers import http


@http.post(
    "/v1/tenants",
    scope="tenants:write",
    tenancy="platform",
    status=201,
    needs={"firestore:write": "stores the tenant, whose change event starts its set-up, and the first invite"},
)
def tenant_create(body: TenantCreate, context: Context) -> Answer[Record[TenantCreated]]:
    """Create a tenant under an id of your choice or a generated one, and invite its first administrator.

    It is ``provisioning`` until it is set up, usually for a few seconds, and then ``active``. The invite's token is
    shown this one time; nothing is sent.
    """
    return tenants.create(context, body)
