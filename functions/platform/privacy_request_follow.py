"""Let privacy requests follow the jobs that carry them out, and go on when a legal hold is released."""

from common.context import Context
from common.events import Envelope
from common.platform.privacy.requests import following
from triggers import message


@message.subscribe(
    "platform-events",
    filter='attributes.event_type = "job-succeeded" OR attributes.event_type = "job-failed"'
    ' OR attributes.event_type = "job-cancelled" OR attributes.event_type = "legal-hold-released"',
    needs={
        "firestore:write": "Ends the request of a job, or begins what waited for a hold.",
        "kms:use": "Seals whom a job is about that goes on.",
    },
)
def privacy_request_follow(envelope: Envelope, context: Context) -> None:
    """End a request with its job, open it again where the job failed, and begin what waited for a released hold."""
    following.follow(context, envelope)
