"""Tell of requests of people that were not answered in time."""

from common.context import Context
from common.platform.privacy.requests import overdue
from triggers import schedule


@schedule.cron(
    "15 * * * *",
    needs={"firestore:write": "Finds the requests whose deadline has passed, and marks them."},
    timeout=300,
    max_instances=1,
)
def privacy_request_overdue(context: Context) -> None:
    """Mark every open request whose deadline has passed as overdue; its event tells of it, once."""
    overdue.tell_overdue(context)
