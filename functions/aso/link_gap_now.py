"""Look for link gaps of hubs now."""

from common.aso.detectors import link_gap_scan
from common.aso.detectors.models import LinkGapDetection
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/link-gaps",
    scope="aso:write",
    rate="expensive",
    timeout=120,
    memory=512,
    needs={"firestore:write": "Reads the newest link audits; creates and closes opportunities."},
)
def link_gap_now(context: Context) -> LinkGapDetection:
    """Find hubs whose links to and from their published spokes are missing, by the newest audit of each hub.

    The gain is a prior, labelled as one: a page that gets its links ranks one better for each search it is known to
    rank for. Scanning twice changes nothing.
    """
    return link_gap_scan.link_gap_now(context)
