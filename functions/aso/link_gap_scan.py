"""Scan the tenants with new link audits for links missing between hubs and spokes."""

from common.aso.detectors import scanning
from common.context import Context
from triggers import schedule


@schedule.cron(
    "30 5 * * *",
    timeout=540,
    max_instances=1,
    needs={
        "firestore:write": "Claims the tenants with new audits since their last scan.",
        "tasks:enqueue:aso-detection-tenant": "Makes one task per tenant.",
    },
)
def link_gap_scan(context: Context) -> None:
    """Make one task for every tenant of which a link audit changed since its last scan for link gaps."""
    scanning.enqueue_detection(context, "link_gap")
