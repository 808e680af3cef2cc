"""Measure what came of opportunities."""

from common.aso.gain_model import outcomes
from common.context import Context
from triggers import schedule


@schedule.cron(
    "40 4 * * *",
    timeout=540,
    max_instances=1,
    needs={
        "firestore:write": "Claims the tenants with an outcome to measure.",
        "tasks:enqueue:aso-opportunity-outcome-tenant": "Makes one task per tenant with an outcome to measure.",
    },
)
def opportunity_outcome(context: Context) -> None:
    """Make one task for every tenant whose opportunities changed, or of which an outcome is due by its date."""
    outcomes.enqueue_due_tenants(context)
