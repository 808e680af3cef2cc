"""List what retention removed."""

from common.answers import Page
from common.context import Context
from common.platform.privacy.retention import policy
from common.platform.privacy.retention.models import RetentionRun, RunListQuery
from triggers import http


@http.get(
    "/v1/privacy/retention/runs",
    scope="privacy:read",
    roles=("admin",),
    needs={"firestore:read": "Lists the runs."},
)
def retention_run_list(query: RunListQuery, context: Context) -> Page[RetentionRun]:
    """List enforcements that removed something, or met a legal hold, with their counts; the latest first."""
    return policy.runs(context, query)
