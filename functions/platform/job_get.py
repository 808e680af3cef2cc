"""Read a job."""

import uuid

from common.answers import Record
from common.context import Context
from common.jobs import service
from common.jobs.models import JobView
from triggers import http


@http.get(
    "/v1/jobs/{job_id}",
    scope="jobs:read",
    needs={"firestore:read": "Reads the job."},
)
def job_get(job_id: uuid.UUID, context: Context) -> Record[JobView]:
    """Read a job: its status, how far it is, and what came out.

    `progress` moves about once a second while the job runs. A job is over when its status is `succeeded`, `failed` or
    `cancelled`; what it did not take is in `GET /v1/jobs/{job_id}/errors` where `errors_file` says so.
    """
    return service.get(context, job_id)
