"""List the API keys of one's own tenant."""

from common.answers import Page
from common.context import Context
from common.tenants.keys import keys
from common.tenants.keys.models import ApiKey, ApiKeyListQuery
from triggers import http


@http.get(
    "/v1/api-keys",
    scope="tenants:read",
    roles=("admin", "manager"),
    needs={"firestore:read": "reads a page of the tenant's keys and when they were used"},
)
def own_key_list(query: ApiKeyListQuery, context: Context) -> Page[ApiKey]:
    """Return API keys of your tenant, newest first, all of them or those of one status; never a key or its hash."""
    return keys.listed(context, query)
