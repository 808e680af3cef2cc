"""Look for decaying pages now."""

from common.aso.detectors import decay_scan
from common.aso.detectors.models import DecayDetection
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/decay",
    scope="aso:write",
    rate="expensive",
    timeout=120,
    memory=512,
    needs={
        "bigquery:read": "Asks which pages lose visits, and what changed for them.",
        "firestore:write": "Creates and closes opportunities.",
    },
)
def decay_now(context: Context) -> DecayDetection:
    """Find pages whose weekly visits fall beyond chance and by more than 2 % a week, and say what made them fall.

    Sixteen weeks are looked at, at least eight of them observed; missing weeks are left out, not taken for zero. The
    change from the first to the last four weeks is split into demand, rank, the whole site's click-through and the
    page's own share. An opportunity is what rank and the page's own share lost. Scanning twice changes nothing.
    """
    return decay_scan.decay_now(context)
