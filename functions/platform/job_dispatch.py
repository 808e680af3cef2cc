"""Start the task of a new job."""

from common.context import Context
from common.events import Envelope
from common.jobs import service
from triggers import message


@message.subscribe(
    "platform-events",
    filter='attributes.event_type = "job-created"',
    needs={"tasks:enqueue:*": "Starts the function that a job names."},
)
def job_dispatch(envelope: Envelope, context: Context) -> None:
    """Create the Cloud Task that begins a job; its name is the job's id, so a second delivery changes nothing."""
    service.dispatch(context, envelope)
