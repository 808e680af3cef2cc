"""Export the audit trail."""

from common.answers import Answer
from common.context import Context
from common.jobs.models import JobView
from common.platform.audit import exporting
from common.platform.audit.exporting import AuditExportRequest
from triggers import http


@http.post(
    "/v1/audit/exports",
    scope="audit:read",
    roles=("admin",),
    rate="expensive",
    status=202,
    needs={"firestore:write": "Begins the job, and records who exports what."},
)
def audit_export(body: AuditExportRequest, context: Context) -> Answer[JobView]:
    """Write entries of the record of changes to a CSV or Excel file, one row a field; a job does it.

    Follow the job at `Location`; when it has succeeded, `GET /v1/audit/exports/{export_id}/link` with the job's id
    gives a link to the file. No text can become a formula.
    """
    return exporting.start(context, body)
