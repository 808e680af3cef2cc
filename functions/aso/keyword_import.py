"""Import keywords from a file."""

from common.answers import Answer
from common.aso.imports import start
from common.aso.imports.models import ImportQuery
from common.context import Context
from common.jobs.models import JobView
from common.uploads import Upload
from triggers import http


@http.post(
    "/v1/aso/keywords/import",
    scope="aso:write",
    rate="expensive",
    status=202,
    timeout=120,
    memory=512,
    concurrency=4,
    max_body=33_554_432,
    accepts=("text/csv", "text/plain", "text/tab-separated-values", "application/csv", "multipart/form-data"),
    needs={
        "firestore:write": "Begins the job and remembers when the file was first seen.",
        "storage:write": "Keeps the file until it is imported.",
    },
)
def keyword_import(upload: Upload, query: ImportQuery, context: Context) -> Answer[JobView]:
    """Upload an export of keywords, up to 32 MiB; a job imports it. The same as `POST /v1/aso/imports`, its older name.

    Follow the job at `Location`. Good rows are imported even where others are wrong; those come back with row number
    and reason in `GET /v1/jobs/{job_id}/errors`. Importing the same file again changes nothing. Columns of a plain CSV
    in any order: keyword, search_volume, difficulty, allintitle, intent, priority, url, rank, date, device, locale.
    """
    return start.start(context, upload, query)
