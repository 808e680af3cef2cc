"""Every five minutes, seal what the audit trails took meanwhile."""

from common.context import Context
from common.platform.audit import seal
from triggers import schedule


@schedule.cron(
    "*/5 * * * *",
    needs={
        "firestore:read": "Finds the tenants with entries that are not sealed.",
        "tasks:enqueue:platform-audit-seal-tenant": "Makes one task for each of them.",
    },
    timeout=300,
    max_instances=1,
)
def audit_seal(context: Context) -> None:
    """Make one task for every tenant with entries that wait to be sealed; tenants without cost nothing."""
    seal.enqueue_due(context)
