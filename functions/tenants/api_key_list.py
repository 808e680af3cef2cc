"""List the API keys of a tenant."""

from common.answers import Page
from common.context import Context
from common.tenants import api_keys
from common.tenants.models import ApiKey
from triggers import http


@http.get(
    "/v1/tenants/{tenant_id}/api-keys",
    scope="tenants:read",
    tenancy="platform",
    needs={"firestore:read": "reads the tenant's keys"},
)
def api_key_list(tenant_id: str, context: Context) -> Page[ApiKey]:
    """Return all API keys of a tenant, newest first, the revoked ones included; never a key or its hash."""
    return api_keys.listed(context, tenant_id)
