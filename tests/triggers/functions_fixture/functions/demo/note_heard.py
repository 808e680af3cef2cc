"""Hear a message as published."""

from common.context import Context
from common.deliveries import MessageDelivery
from common.errors import PoisonEvent, Unavailable
from triggers import message

HEARD: list[tuple[MessageDelivery, Context]] = []


@message.subscribe("demo-events")
def note_heard(message: MessageDelivery, context: Context) -> None:
    """Keep it; fail in the way its data asks for."""
    if message.data == b"poison":
        raise PoisonEvent("never", "can never be done")
    if message.data == b"unavailable":
        raise Unavailable("bigquery", "BigQuery does not answer")
    if message.data == b"crash":
        raise RuntimeError("no")
    HEARD.append((message, context))
