"""Create an API key of a tenant."""

from common.answers import Answer
from common.context import Context
from common.tenants import api_keys
from common.tenants.models import ApiKeyCreate, ApiKeyCreated
from triggers import http


@http.post(
    "/v1/tenants/{tenant_id}/api-keys",
    scope="tenants:write",
    tenancy="platform",
    status=201,
    needs={"firestore:write": "stores the hash of the key with its scopes"},
)
def api_key_create(tenant_id: str, body: ApiKeyCreate, context: Context) -> Answer[ApiKeyCreated]:
    """Create an API key and return it, this one time.

    Only its hash is stored. A repetition with the same ``Idempotency-Key`` is therefore answered with 409 and the
    ``Location`` of the key that was made, never with the key.
    """
    return api_keys.create(context, tenant_id, body)
