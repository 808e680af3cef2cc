"""Replay one of many dead letters."""

from common import dead_letters
from common.context import Context
from common.dead_letters import ReplayTask
from triggers import task


@task.handler(
    dispatches_per_second=20,
    concurrent_dispatches=5,
    needs={
        "firestore:write": "Notes that the dead letter was replayed.",
        "storage:read": "Reads the bytes of large messages.",
        "pubsub:publish:*": "Sends the message to its topic again.",
        "tasks:enqueue:*": "Posts other deliveries to their function again.",
    },
)
def dead_letter_redeliver(body: ReplayTask, context: Context) -> None:
    """Replay one dead letter; the queue also carries deliveries that are posted again to their own function."""
    dead_letters.replay_one(context, body)
