"""Let the identity provider follow the people of tenants."""

from common.context import Context
from common.events import Envelope
from common.tenants.people import claims
from triggers import message
from triggers.declaration import Retry


@message.subscribe(
    "tenants-events",
    filter='hasPrefix(attributes.event_type, "user-")',
    retry=Retry(attempts=100, minimum=1, maximum=300),
    needs={
        "firestore:read": "reads what the person's document says now",
        "firebase:administer": "sets custom claims, ends sessions and deletes the accounts of erased people",
    },
)
def user_claims(envelope: Envelope, context: Context) -> None:
    """Bring an account's tenant and role, and the end of its sessions, to what the person's document says.

    The account of a person who was erased is deleted.
    """
    claims.follow(context, envelope.payload.document_id, erased=envelope.metadata.erasure is not None)
