"""Do a task."""

from common.context import Context
from common.deliveries import TaskDelivery
from common.model import Model
from triggers import task

HEARD: list[tuple["Chore", TaskDelivery, Context]] = []


class Chore(Model):
    """What to do."""

    number: int


@task.handler(needs={"firestore:write": "Keeps what it heard."})
def note_task(body: Chore, delivery: TaskDelivery, context: Context) -> None:
    """Keep it."""
    HEARD.append((body, delivery, context))
