"""Compare Firestore and the warehouse for one tenant now."""

from common.answers import Answer
from common.context import Context
from common.jobs.models import JobView
from common.warehouse import reconcile
from common.warehouse.reconcile import ReconciliationRequest
from triggers import http


@http.post(
    "/v1/platform/reconciliations",
    scope="platform:write",
    tenancy="platform",
    rate="expensive",
    status=202,
    needs={"firestore:write": "looks the tenant up and stores the job"},
)
def reconcile_now(body: ReconciliationRequest, context: Context) -> Answer[JobView]:
    """Start a reconciliation; the job's result counts what differs and what was repaired (with `repair`)."""
    return reconcile.request(context, body)
