"""Cancel a job."""

import uuid

from common.answers import Record
from common.context import Context
from common.jobs import service
from common.jobs.models import JobView
from triggers import http


@http.post(
    "/v1/jobs/{job_id}/cancel",
    scope="jobs:write",
    if_match="optional",
    needs={"firestore:write": "Ends the job."},
)
def job_cancel(job_id: uuid.UUID, context: Context) -> Record[JobView]:
    """Cancel a job that is queued or running; 409 `invalid_transition` where it is over already.

    A run that is under way notices within seconds and stops. What it did until then stays.
    """
    return service.cancel(context, job_id)
