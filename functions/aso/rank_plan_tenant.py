"""Plan the rank checks of one tenant."""

from common.aso.tracking import planning
from common.aso.tracking.models import PlanTask
from common.context import Context
from triggers import task
from triggers.declaration import Retry


@task.handler(
    timeout=300,
    concurrency=8,
    dispatches_per_second=20,
    retry=Retry(attempts=5, minimum=10, maximum=300),
    needs={
        "firestore:write": "Finds the keywords that are due and remembers how far the plan is.",
        "tasks:enqueue:aso-rank-fetch": "Makes one task for every few keywords.",
    },
)
def rank_plan_tenant(body: PlanTask, context: Context) -> None:
    """Make the tasks of the checks that are due, within the budget; a repeated task makes none twice."""
    planning.plan_tenant(context, body)
