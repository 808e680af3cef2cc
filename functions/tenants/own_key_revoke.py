"""Revoke an API key of one's own tenant."""

from common.context import Context
from common.tenants.keys import keys
from triggers import http


@http.delete(
    "/v1/api-keys/{key_id}",
    scope="tenants:write",
    roles=("admin",),
    status=204,
    needs={"firestore:write": "marks the key as revoked"},
)
def own_key_revoke(key_id: str, context: Context) -> None:
    """Revoke an API key: it is refused everywhere within a minute. Revoking it again changes nothing."""
    keys.revoke(context, key_id)
