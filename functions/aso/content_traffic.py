"""Bring the traffic of content up to date."""

from common.aso.performance import traffic
from common.context import Context
from triggers import schedule


@schedule.cron(
    "40 * * * *",
    timeout=540,
    max_instances=1,
    needs={
        "firestore:write": "Claims the tenants whose pages have new figures.",
        "tasks:enqueue:aso-content-traffic-tenant": "Makes one task per such tenant.",
    },
)
def content_traffic(context: Context) -> None:
    """Make one task for every tenant with new figures of its pages since the last time."""
    traffic.enqueue_changed(context)
