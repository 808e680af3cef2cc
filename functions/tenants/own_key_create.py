"""Create an API key of one's own tenant."""

from common.answers import Answer
from common.context import Context
from common.tenants.keys import keys
from common.tenants.keys.models import ApiKeyCreate, ApiKeyCreated
from triggers import http


@http.post(
    "/v1/api-keys",
    scope="tenants:write",
    roles=("admin",),
    status=201,
    needs={"firestore:write": "counts the tenant's keys, and stores the new one's entity and its hash"},
)
def own_key_create(body: ApiKeyCreate, context: Context) -> Answer[ApiKeyCreated]:
    """Create an API key of your tenant and return it, this one time.

    A key may do no more than you: neither its role nor its scopes exceed yours. It belongs to the tenant and goes on
    when you leave. Only its hash is stored, so a repetition with the same ``Idempotency-Key`` is answered with 409 and
    the ``Location`` of the key that was made, never with the key.
    """
    return keys.create(context, body)
