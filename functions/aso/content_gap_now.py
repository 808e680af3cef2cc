"""Look for content gaps now."""

from common.aso.detectors import content_gap_scan
from common.aso.detectors.models import ContentGapDetection
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/content-gap",
    scope="aso:write",
    rate="expensive",
    timeout=120,
    memory=512,
    needs={
        "bigquery:read": "Asks which keywords competitors are found for and we are not.",
        "firestore:write": "Creates and closes opportunities.",
    },
)
def content_gap_now(context: Context) -> ContentGapDetection:
    """Find keywords for which two competitors rank in the first ten while our own page is beyond 30 or not found.

    A keyword whose own rank nobody checked in 90 days is no gap; it is counted and named, as something to check. Needs
    competitors (`no_competitors`). Scanning twice changes nothing.
    """
    return content_gap_scan.content_gap_now(context)
