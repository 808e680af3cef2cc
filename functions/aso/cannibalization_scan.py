"""Scan the tenants with new search performance for pages that share a search."""

from common.aso.detectors import scanning
from common.context import Context
from triggers import schedule


@schedule.cron(
    "40 4 * * 1",
    timeout=540,
    max_instances=1,
    needs={
        "firestore:write": "Claims the tenants with new figures since their last scan.",
        "tasks:enqueue:aso-detection-tenant": "Makes one task per tenant.",
    },
)
def cannibalization_scan(context: Context) -> None:
    """Make one task for every tenant with figures of search performance that arrived since its last scan.

    Weekly: a verdict rests on four weeks of days, and one day more changes little.
    """
    scanning.enqueue_detection(context, "cannibalization")
