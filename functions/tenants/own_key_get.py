"""Read an API key of one's own tenant."""

from common.context import Context
from common.tenants.keys import keys
from common.tenants.keys.models import ApiKey
from triggers import http


@http.get(
    "/v1/api-keys/{key_id}",
    scope="tenants:read",
    roles=("admin", "manager"),
    needs={"firestore:read": "reads the key's entity and when it was used"},
)
def own_key_get(key_id: str, context: Context) -> ApiKey:
    """Return what is known of an API key, such as when it was used last; never the key or its hash."""
    return keys.get(context, key_id)
