"""Measure what came of one tenant's opportunities."""

from common.aso.gain_model import outcomes
from common.aso.gain_model.models import OutcomeTask
from common.context import Context
from triggers import task
from triggers.declaration import Retry


@task.handler(
    timeout=600,
    memory=512,
    concurrency=4,
    dispatches_per_second=5,
    concurrent_dispatches=10,
    retry=Retry(attempts=5, minimum=10, maximum=300),
    needs={
        "bigquery:read": "Reads clicks and ranks before and after each action.",
        "firestore:write": "Stores the outcomes and ends the tenant's claim.",
    },
)
def opportunity_outcome_tenant(body: OutcomeTask, context: Context) -> None:
    """Measure the outcomes of one tenant that are due after 28 and 56 days; a repeated task changes nothing."""
    outcomes.measure_claimed(context, body)
