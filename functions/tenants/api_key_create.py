"""Create an API key of a tenant, as its operator."""

from common.answers import Answer
from common.context import Context
from common.tenants.keys import keys
from common.tenants.keys.models import ApiKeyCreate, ApiKeyCreated
from triggers import http


@http.post(
    "/v1/tenants/{tenant_id}/api-keys",
    scope="tenants:write",
    tenancy="platform",
    status=201,
    needs={"firestore:write": "stores the key's entity, and its hash with its scopes"},
)
def api_key_create(tenant_id: str, body: ApiKeyCreate, context: Context) -> Answer[ApiKeyCreated]:
    """Create an API key and return it, this one time.

    Only its hash is stored. A repetition with the same ``Idempotency-Key`` is therefore answered with 409 and the
    ``Location`` of the key that was made, never with the key.
    """
    return keys.create(keys.of_tenant(context, tenant_id), body)
