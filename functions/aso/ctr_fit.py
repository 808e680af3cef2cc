"""Fit the gain models of the tenants with new figures."""

from common.aso.gain_model import fit
from common.context import Context
from triggers import schedule


@schedule.cron(
    "20 3 * * 1",
    timeout=540,
    max_instances=1,
    needs={
        "firestore:write": "Claims the tenants with new figures since their last fit.",
        "tasks:enqueue:aso-ctr-fit-tenant": "Makes one task per tenant with new figures.",
    },
)
def ctr_fit(context: Context) -> None:
    """Make one task for every tenant with new search performance, keyword figures or outcomes since its last fit."""
    fit.enqueue_changed(context)
