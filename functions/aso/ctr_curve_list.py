"""List the click-through curves."""

from common.answers import Cached
from common.aso.gain_model import fit
from common.aso.gain_model.models import CtrCurves, CurveQuery
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/ctr-curves",
    scope="aso:read",
    needs={
        "firestore:read": "Reads the curves when the cache has no answer.",
        "redis:use": "Keeps the answer for ten minutes.",
    },
)
def ctr_curve_list(query: CurveQuery, context: Context) -> Cached[CtrCurves]:
    """List the curves of all searches, brand, device and feature, with what each was fitted to.

    Before the first fit there is the published prior alone, under version 0. A segment that was never seen has none.
    """
    return fit.listed(context, query)
