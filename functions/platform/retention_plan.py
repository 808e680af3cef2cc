"""Count what retention would remove."""

from common.context import Context
from common.platform.privacy.retention import due
from common.platform.privacy.retention.models import RetentionPlan, RetentionPreview
from triggers import http


@http.post(
    "/v1/privacy/retention/plan",
    scope="privacy:read",
    roles=("admin",),
    rate="expensive",
    needs={"firestore:read": "Counts the documents that are over, and reads the legal holds."},
)
def retention_plan(body: RetentionPreview, context: Context) -> RetentionPlan:
    """Count what enforcing would remove now, by the periods in force or by others; removes nothing."""
    return due.plan(context, body)
