"""Every night, find the tenants with records whose time is over."""

from common.context import Context
from common.platform.privacy.retention import enforce
from triggers import schedule


@schedule.cron(
    "40 2 * * *",
    timeout=540,
    max_instances=1,
    needs={
        "firestore:write": "Claims the tenants with something due.",
        "tasks:enqueue:platform-retention-tenant": "Makes one task per tenant with something due.",
    },
)
def retention_enforce(context: Context) -> None:
    """Make one task for every tenant that has something due; a mark says when that is, so nothing is searched."""
    enforce.enqueue_tenants(context)
