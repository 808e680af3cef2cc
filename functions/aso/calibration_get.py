"""Read the calibration of predictions."""

from common.answers import Cached
from common.aso.gain_model import calibration
from common.aso.gain_model.calibration import Calibration, CalibrationQuery
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/calibration",
    scope="aso:read",
    needs={
        "bigquery:read": "Compares predictions and outcomes when the cache has no answer.",
        "firestore:read": "Reads the fitted chance to reach a rank.",
        "redis:use": "Keeps the answer for ten minutes.",
    },
)
def calibration_get(query: CalibrationQuery, context: Context) -> Cached[Calibration]:
    """Compare what was predicted of opportunities with what came of them, by bins with counts and intervals.

    Cached for 600 seconds and dropped when new outcomes reach the warehouse or the model is fitted again.
    """
    return calibration.calibration(context, query)
