"""Scan for opportunities now."""

from common.aso import scan
from common.aso.opportunity_models import ScanResult
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/opportunities/scan",
    scope="aso:write",
    rate="expensive",
    timeout=120,
    memory=512,
    needs={
        "bigquery:read": "Asks which opportunities of the tenant differ.",
        "firestore:write": "Creates and closes opportunities.",
    },
)
def opportunity_scan_now(context: Context) -> ScanResult:
    """Bring the opportunities in line with the keywords as the warehouse knows them, and answer with the ranked list.

    Opportunities that still hold are not rewritten; those that no longer hold are closed with the reason. Scanning
    twice changes nothing. At most 1000 are created in one call, the greatest expected gain first; `remaining` tells
    how many the next scan has left.
    """
    return scan.scan_now(context)
