"""Read the statistics of search optimisation."""

from common.answers import Cached
from common.aso import stats as statistics
from common.aso.stats import AsoStats, StatsQuery
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/stats",
    scope="aso:read",
    needs={
        "bigquery:read": "Computes the figures when the cache has no answer.",
        "redis:use": "Keeps the answer for five minutes.",
    },
)
def stats(query: StatsQuery, context: Context) -> Cached[AsoStats]:
    """Count content, keywords and opportunities of the last days, each figure with its age.

    Computed in the warehouse, which follows the documents within seconds; `newest_changes` tells how far it is. Cached
    for 300 seconds and dropped when newer changes arrive there.
    """
    return statistics.stats(context, query)
