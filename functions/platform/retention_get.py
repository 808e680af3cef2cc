"""Read what is kept how long."""

from common.answers import Record
from common.context import Context
from common.platform.privacy.retention import policy
from common.platform.privacy.retention.models import RetentionView
from triggers import http


@http.get(
    "/v1/privacy/retention",
    scope="privacy:read",
    roles=("admin",),
    needs={"firestore:read": "Reads what the tenant chose."},
)
def retention_get(context: Context) -> Record[RetentionView]:
    """Read the inventory: every kind of record, how long it is kept and why, and who sees to it that it goes."""
    return policy.shown(context)
