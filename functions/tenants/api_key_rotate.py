"""Rotate an API key of a tenant, as its operator."""

from common.answers import Answer
from common.context import Context
from common.tenants.keys import keys
from common.tenants.keys.models import ApiKeyCreated, ApiKeyRotate
from triggers import http


@http.post(
    "/v1/tenants/{tenant_id}/api-keys/{key_id}/rotate",
    scope="tenants:write",
    tenancy="platform",
    status=201,
    needs={"firestore:write": "stores the hash of the new key and ends the old one"},
)
def api_key_rotate(tenant_id: str, key_id: str, body: ApiKeyRotate, context: Context) -> Answer[ApiKeyCreated]:
    """Replace an API key by one that may do the same, and return it, this one time.

    The old key is accepted for `overlap_hours` more, so that callers can change over without a gap.
    """
    return keys.rotate(keys.of_tenant(context, tenant_id), key_id, body)
