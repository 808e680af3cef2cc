"""Every day, compare Firestore and the warehouse for each tenant."""

from common.context import Context
from common.warehouse import reconcile as reconciliations
from triggers import schedule


@schedule.cron(
    "20 2 * * *",
    needs={"firestore:write": "lists the tenants and stores one job for each"},
    timeout=540,
    max_instances=1,
)
def reconcile(context: Context) -> None:
    """Start one reconciliation per tenant; a second run on the same day starts none again."""
    reconciliations.start_daily(context)
