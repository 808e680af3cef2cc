"""Import a file."""

from common.answers import Answer
from common.aso.imports import start
from common.aso.imports.models import ImportQuery
from common.context import Context
from common.jobs.models import JobView
from common.uploads import Upload
from triggers import http


@http.post(
    "/v1/aso/imports",
    scope="aso:write",
    rate="expensive",
    status=202,
    timeout=120,
    memory=512,
    concurrency=4,
    max_body=33_554_432,
    accepts=("text/csv", "text/plain", "text/tab-separated-values", "application/csv", "multipart/form-data"),
    needs={
        "firestore:write": "Keeps what is imported, begins the job, and remembers when the file was first seen.",
        "storage:write": "Keeps the file until it is imported.",
    },
)
def import_create(upload: Upload, query: ImportQuery, context: Context) -> Answer[JobView]:
    """Upload an export of Search Console, Semrush, Ahrefs or Keyword Planner, or a plain table, up to 32 MiB.

    At most 500,000 rows. A job imports it: follow it at `Location`; its id is the id of the import. Good rows are
    imported even where others are wrong; those come back with row number and reason in `GET /v1/jobs/{job_id}/errors`,
    to be corrected and uploaded again. Importing the same file again changes nothing.
    """
    return start.start(context, upload, query)
