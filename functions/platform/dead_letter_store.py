"""Keep what no consumer could process."""

from common import dead_letters
from common.context import Context
from common.deliveries import MessageDelivery
from triggers import message


@message.subscribe(
    "*dead-letter*",
    dead_letter=False,
    needs={
        "firestore:write": "Keeps the message with its bytes and the reason.",
        "storage:write": "Keeps the bytes of large messages.",
    },
)
def dead_letter_store(message: MessageDelivery, context: Context) -> None:
    """Store a message that a consumer failed to process as often as its subscription allows."""
    dead_letters.store(context, message)
