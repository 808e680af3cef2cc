"""Scan the tenants whose keywords or competitors changed for content gaps."""

from common.aso.detectors import scanning
from common.context import Context
from triggers import schedule


@schedule.cron(
    "10 5 * * *",
    timeout=540,
    max_instances=1,
    needs={
        "firestore:write": "Claims the tenants that changed since their last scan.",
        "tasks:enqueue:aso-detection-tenant": "Makes one task per tenant.",
    },
)
def content_gap_scan(context: Context) -> None:
    """Make one task for every tenant whose keywords or competitors changed, or of which a gap ended by itself.

    By itself a gap ends when nobody checked our own rank for 90 days. Daily: what a page does not exist for does not
    change within hours.
    """
    scanning.enqueue_detection(context, "content_gap")
