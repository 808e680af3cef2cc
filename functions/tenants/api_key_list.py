"""List the API keys of a tenant, as its operator."""

from common.answers import Page
from common.context import Context
from common.tenants.keys import keys
from common.tenants.keys.models import ApiKey, TenantKeyListQuery
from triggers import http


@http.get(
    "/v1/tenants/{tenant_id}/api-keys",
    scope="tenants:read",
    tenancy="platform",
    needs={"firestore:read": "reads the tenant's keys and when they were used"},
)
def api_key_list(tenant_id: str, query: TenantKeyListQuery, context: Context) -> Page[ApiKey]:
    """Return API keys of a tenant, newest first, the revoked ones included; never a key or its hash."""
    return keys.listed(keys.of_tenant(context, tenant_id), query)
