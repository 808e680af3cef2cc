"""Look for pages that share a search now."""

from common.aso.detectors import cannibalization_scan
from common.aso.detectors.models import CannibalizationDetection
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/cannibalization",
    scope="aso:write",
    rate="expensive",
    timeout=120,
    memory=512,
    needs={
        "bigquery:read": "Asks which searches several pages are shown for.",
        "firestore:write": "Creates and closes opportunities.",
    },
)
def cannibalization_now(context: Context) -> CannibalizationDetection:
    """Find searches for which pages of the site stand in each other's way, and what merging them is worth.

    Two or more pages with more than a tenth of the impressions each, of which another leads from day to day. The gain
    of merging is a number with an interval over the days; where it is nothing, there is no opportunity. Scanning twice
    changes nothing.
    """
    return cannibalization_scan.cannibalization_now(context)
