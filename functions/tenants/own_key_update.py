"""Rename an API key of one's own tenant."""

from common.context import Context
from common.tenants.keys import keys
from common.tenants.keys.models import ApiKey, ApiKeyUpdate
from triggers import http


@http.patch(
    "/v1/api-keys/{key_id}",
    scope="tenants:write",
    roles=("admin",),
    needs={"firestore:write": "stores the new name"},
)
def own_key_update(key_id: str, body: ApiKeyUpdate, context: Context) -> ApiKey:
    """Change what people call an API key. What it may do is fixed: make another one and revoke this one."""
    return keys.rename(context, key_id, body)
