"""Fit the gain model now."""

from common.aso.gain_model import fit
from common.aso.gain_model.models import FitResult
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/ctr-curves/fit",
    scope="aso:write",
    rate="expensive",
    timeout=120,
    memory=512,
    needs={
        "bigquery:read": "Counts clicks and impressions by rank, and outcomes by distance and difficulty.",
        "firestore:write": "Stores the fitted model.",
        "redis:use": "Drops the calibration that the fit makes stale.",
    },
)
def ctr_fit_now(context: Context) -> FitResult:
    """Fit the click-through curves and the chance to reach a rank to what the warehouse knows by now.

    A segment with too little data keeps the curve above it, or the published prior, and `reason` says what is missing.
    Where something changed, stored opportunities follow with the next scan. Runs weekly by itself.
    """
    return fit.fit(context)
