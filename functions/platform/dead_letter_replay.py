"""Replay a dead letter."""

from common import dead_letters
from common.context import Context
from common.dead_letters import DeadLetter
from triggers import http


@http.post(
    "/v1/platform/dead-letters/{dead_letter_id}/replay",
    scope="platform:write",
    tenancy="platform",
    needs={
        "firestore:write": "Notes that the dead letter was replayed.",
        "storage:read": "Reads the bytes of large messages.",
        "pubsub:publish:*": "Sends the message to its topic again.",
        "tasks:enqueue:*": "Posts other deliveries to their function again.",
    },
)
def dead_letter_replay(dead_letter_id: str, context: Context) -> DeadLetter:
    """Send a dead letter to the function that failed, again. Replaying twice is harmless."""
    return dead_letters.replay(context, dead_letter_id)
