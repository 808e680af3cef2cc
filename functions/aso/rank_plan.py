"""Plan the rank checks of all tenants."""

from common.aso.tracking import planning
from common.context import Context
from triggers import schedule


@schedule.cron(
    "10 * * * *",
    timeout=540,
    max_instances=1,
    needs={
        "firestore:read": "Lists the tenants whose tracking is on.",
        "tasks:enqueue:aso-rank-plan-tenant": "Makes one task for each of them.",
    },
)
def rank_plan(context: Context) -> None:
    """Make one task for every tenant whose tracking is on; none where the deployment has no provider."""
    planning.enqueue_tenants(context)
