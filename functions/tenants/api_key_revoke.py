"""Revoke an API key of a tenant, as its operator."""

from common.context import Context
from common.tenants.keys import keys
from triggers import http


@http.delete(
    "/v1/tenants/{tenant_id}/api-keys/{key_id}",
    scope="tenants:write",
    tenancy="platform",
    status=204,
    needs={"firestore:write": "marks the key as revoked"},
)
def api_key_revoke(tenant_id: str, key_id: str, context: Context) -> None:
    """Revoke an API key: it is refused everywhere within a minute. Revoking it again changes nothing."""
    keys.revoke(keys.of_tenant(context, tenant_id), key_id)
