"""Take every change of the domain ``aso`` into the audit trail."""

from common.context import Context
from common.events import Envelope
from common.platform.audit import record
from triggers import message
from triggers.declaration import Retry


@message.subscribe(
    "aso-events",
    needs={
        "firestore:write": "writes the entry, and looks whether a person in it was erased",
        "kms:use": "makes the digests by which an erasure finds the entries about a person",
    },
    retry=Retry(attempts=100, minimum=10, maximum=600),
    concurrency=80,
    max_instances=20,
)
def audit_aso(envelope: Envelope, context: Context) -> None:
    """Write the entry of a change; a second delivery changes nothing."""
    record.handle(context, envelope)
