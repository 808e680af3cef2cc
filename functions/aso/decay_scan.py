"""Scan the tenants with new search performance for pages that decay."""

from common.aso.detectors import scanning
from common.context import Context
from triggers import schedule


@schedule.cron(
    "20 4 * * *",
    timeout=540,
    max_instances=1,
    needs={
        "firestore:write": "Claims the tenants with new figures since their last scan.",
        "tasks:enqueue:aso-detection-tenant": "Makes one task per tenant.",
    },
)
def decay_scan(context: Context) -> None:
    """Make one task for every tenant with figures of search performance that arrived since its last scan for decay."""
    scanning.enqueue_detection(context, "content_decay")
