"""List tenants."""

from common.answers import Page
from common.context import Context
from common.tenants import tenants
from common.tenants.models import Tenant, TenantListQuery
from triggers import http


@http.get(
    "/v1/tenants",
    scope="tenants:read",
    tenancy="platform",
    needs={"firestore:read": "reads a page of tenants"},
)
def tenant_list(query: TenantListQuery, context: Context) -> Page[Tenant]:
    """Return tenants, newest first, all of them or those of one status."""
    return tenants.listed(context, query)
