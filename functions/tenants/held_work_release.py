"""Let the work of a tenant go on that rested."""

from common import released_work
from common.context import Context
from common.events import Envelope
from triggers import message
from triggers.declaration import Retry


@message.subscribe(
    "tenants-events",
    filter='attributes.event_type = "tenant-activated" OR attributes.event_type = "tenant-deletion-cancelled"',
    retry=Retry(attempts=100, minimum=10, maximum=600),
    timeout=300,
    needs={
        "firestore:write": "reads the tasks that were put aside, and forgets them once they are made anew",
        "tasks:enqueue:*": "makes the tasks anew, each for the function it was for",
    },
)
def held_work_release(envelope: Envelope, context: Context) -> None:
    """Make the tasks anew that were put aside while the tenant rested; a second delivery makes none twice."""
    released_work.release(context, envelope.tenant_id)
