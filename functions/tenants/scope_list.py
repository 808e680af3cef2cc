"""List the scopes that API keys can have."""

from common.context import Context
from common.tenants.keys import grants
from common.tenants.keys.models import ScopeList
from triggers import http


@http.get(
    "/v1/scopes",
    scope="tenants:read",
    roles=("admin", "manager"),
)
def scope_list(context: Context) -> ScopeList:
    """Return every scope with what it opens, which roles cover it, and whether you may give it to a key."""
    return grants.described(context.principal)
