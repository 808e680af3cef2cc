"""Let go on what waited for a legal hold."""

from common.context import Context
from common.events import Envelope
from common.platform.privacy.requests import following
from triggers import message


@message.subscribe(
    "platform-events",
    filter='attributes.event_type = "legal-hold-released"',
    needs={
        "firestore:write": "Begins the requests that waited, and makes retention due.",
        "kms:use": "Seals whom a job is about that goes on.",
    },
)
def hold_released(envelope: Envelope, context: Context) -> None:
    """Begin the requests that waited for the hold, and let retention look again; what another hold keeps waits on."""
    following.hold_released(context, envelope)
