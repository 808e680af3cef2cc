"""Every night, verify the chains of the audit trails."""

from common.context import Context
from common.platform.audit import verification
from triggers import schedule


@schedule.cron(
    "15 3 * * *",
    needs={
        "firestore:read": "Finds the chains that were not verified since yesterday.",
        "tasks:enqueue:platform-audit-verify-tenant": "Makes one task for each of them.",
    },
    timeout=300,
    max_instances=1,
)
def audit_verify(context: Context) -> None:
    """Make one task for every chain that is due."""
    verification.enqueue_due(context)
