"""Scan the tenants that changed for opportunities."""

from common.aso import scan
from common.context import Context
from triggers import schedule


@schedule.cron(
    "0 * * * *",
    timeout=540,
    max_instances=1,
    needs={
        "firestore:write": "Claims the tenants that changed since their last scan.",
        "tasks:enqueue:aso-opportunity-scan-tenant": "Makes one task per changed tenant.",
    },
)
def opportunity_scan(context: Context) -> None:
    """Make one task for every tenant that changed since its last scan, or of which an opportunity ended by itself.

    A change is one of keywords, ranks or opportunities; by itself an opportunity ends when its keyword was not checked
    for 30 days.
    """
    scan.enqueue_changed(context)
