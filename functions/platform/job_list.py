"""List jobs."""

from common.answers import Page
from common.context import Context
from common.jobs import service
from common.jobs.models import JobListQuery, JobView
from triggers import http


@http.get(
    "/v1/jobs",
    scope="jobs:read",
    needs={"firestore:read": "Lists the jobs."},
)
def job_list(query: JobListQuery, context: Context) -> Page[JobView]:
    """List the tenant's jobs, newest first, by status and type."""
    return service.list_jobs(context, query)
