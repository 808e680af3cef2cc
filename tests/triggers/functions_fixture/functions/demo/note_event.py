"""Hear a domain event."""

from common.context import Context
from common.events import Envelope
from triggers import message

HEARD: list[tuple[Envelope, Context]] = []


@message.subscribe("demo-events", needs={"firestore:write": "Keeps what it heard."})
def note_event(envelope: Envelope, context: Context) -> None:
    """Keep it."""
    HEARD.append((envelope, context))
