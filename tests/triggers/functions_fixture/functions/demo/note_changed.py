"""Hear a change of a document."""

from common.context import Context
from common.deliveries import DocumentDelivery
from triggers import document

HEARD: list[tuple[DocumentDelivery, Context]] = []


@document.written("tenants/{tenant_id}/notes/{note_id}")
def note_changed(change: DocumentDelivery, context: Context) -> None:
    """Keep it."""
    HEARD.append((change, context))
