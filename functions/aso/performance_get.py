"""Read the search performance."""

from common.answers import Cached
from common.aso.performance import read
from common.aso.performance.read_models import Performance, PerformanceQuery
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/performance",
    scope="aso:read",
    timeout=60,
    needs={
        "bigquery:read": "Adds the figures up when the cache has no answer.",
        "redis:use": "Keeps the answer for a quarter of an hour.",
    },
)
def performance_get(query: PerformanceQuery, context: Context) -> Cached[Performance]:
    """Read clicks, impressions, click-through rate and mean position by day, week, query, page, device or country.

    Every day is answered from one cut of one source, so nothing counts twice; `coverage` tells which, and `newest_day`
    how old the data is. Positions are weighted by impressions. Sources leave rare searches out of what is split by
    query, so its total may be lower than that of the days.
    """
    return read.performance(context, query)
