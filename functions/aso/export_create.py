"""Export a table to a file."""

from common.answers import Answer
from common.aso.exporting import start
from common.aso.exporting.models import ExportRequest
from common.context import Context
from common.jobs.models import JobView
from triggers import http


@http.post(
    "/v1/aso/exports",
    scope="aso:read",
    rate="expensive",
    status=202,
    needs={"firestore:write": "Begins the job."},
)
def export_create(body: ExportRequest, context: Context) -> Answer[JobView]:
    """Write keywords, opportunities, content or ranks to a CSV or Excel file; a job does it.

    Follow the job at `Location`; when it has succeeded, `GET /v1/aso/exports/{export_id}/link` with the job's id gives
    a link to the file. Numbers stay numbers, and no text can become a formula. Documents are exported as they were at
    one moment; facts of a period day by day.
    """
    return start.start(context, body)
