"""Let privacy requests follow the jobs that carry them out."""

from common.context import Context
from common.events import Envelope
from common.platform.privacy.requests import following
from triggers import message


@message.subscribe(
    "platform-events",
    filter='attributes.event_type = "job-succeeded" OR attributes.event_type = "job-failed"'
    ' OR attributes.event_type = "job-cancelled"',
    needs={
        "firestore:write": "Ends the request of a job, or opens it again.",
        "kms:use": "Seals whom a job is about that goes on.",
    },
)
def privacy_request_follow(envelope: Envelope, context: Context) -> None:
    """End a request with its job, or open it again where the job failed; other jobs are none of its business."""
    following.job_ended(context, envelope)
