"""Fit the gain model of one tenant."""

from common.aso.gain_model import fit
from common.aso.gain_model.models import FitTask
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
        "bigquery:read": "Counts clicks and impressions by rank, and outcomes by distance and difficulty.",
        "firestore:write": "Stores the fitted model and ends the tenant's claim.",
        "redis:use": "Drops the calibration that the fit makes stale.",
    },
)
def ctr_fit_tenant(body: FitTask, context: Context) -> None:
    """Fit one tenant's click-through curves and its chance to reach a rank; a repeated task changes nothing."""
    fit.fit_claimed(context, body)
