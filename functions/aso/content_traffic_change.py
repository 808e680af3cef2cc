"""Explain the change of a piece's visits."""

from common.answers import Cached
from common.aso.detectors import traffic_change
from common.aso.detectors.traffic_change import TrafficChange, TrafficChangeQuery
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/content/{content_id}/traffic-change",
    scope="aso:read",
    rate="expensive",
    timeout=120,
    memory=512,
    needs={
        "bigquery:read": "Computes the figures when the cache has no answer.",
        "firestore:read": "Reads the piece and the tenant's click-through model.",
        "redis:use": "Keeps the answer for a quarter of an hour.",
    },
)
def content_traffic_change(content_id: str, query: TrafficChangeQuery, context: Context) -> Cached[TrafficChange]:
    """Split the change of a page's visits between two windows into missing data, demand, rank, curve and residual.

    The parts sum to the change exactly. Windows have 7 to 366 days and do not overlap; without any the last 28 days
    delivered are compared with the 28 before.
    """
    return traffic_change.traffic_change(context, content_id, query)
