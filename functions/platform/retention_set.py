"""Choose how long records are kept."""

from common.answers import Record
from common.context import Context
from common.platform.privacy.retention import policy
from common.platform.privacy.retention.models import RetentionInput, RetentionView
from triggers import http


@http.put(
    "/v1/privacy/retention",
    scope="privacy:write",
    roles=("admin",),
    if_match="required",
    needs={"firestore:write": "Stores the choice, and makes the tenant due."},
)
def retention_set(body: RetentionInput, context: Context) -> Record[RetentionView]:
    """Choose periods by class, as a whole and within the bounds of each class; what is left out takes its default.

    Needs `If-Match` with the version that was read, `"0"` where nothing was chosen yet (412 `stale_etag`). What is over
    by a shorter period goes with the next daily enforcement: plan first (`POST /v1/privacy/retention/plan`).
    """
    return policy.put(context, body)
