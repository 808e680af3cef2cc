"""Download the rows that a job did not take."""

import uuid
from typing import Annotated

from common.answers import Download
from common.context import Context
from common.jobs import service
from triggers import http


@http.get(
    "/v1/jobs/{job_id}/errors",
    scope="jobs:read",
    needs={"firestore:read": "Checks whose job it is.", "storage:read": "Reads the file."},
)
def job_errors(job_id: uuid.UUID, context: Context) -> Annotated[Download, "text/csv"]:
    """Download the refused rows of a job as CSV: each with its row number, the reason and a sentence.

    404 `job_errors_not_found` where no row was refused.
    """
    return service.errors(context, job_id)
