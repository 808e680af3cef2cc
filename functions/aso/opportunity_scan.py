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
    """Make one task for every tenant whose keywords, ranks or opportunities changed since its last scan."""
    scan.enqueue_changed(context)
