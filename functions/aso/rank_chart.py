"""Read the ranks of several keywords as chart data."""

from common.answers import Cached
from common.aso.views import chart as view
from common.aso.views.models import Chart, ChartQuery
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/ranks/chart",
    scope="aso:read",
    needs={
        "bigquery:read": "Reads the observations when the cache has no answer.",
        "firestore:read": "Looks the keywords up.",
        "redis:use": "Keeps the answer for five minutes.",
    },
)
def rank_chart(query: ChartQuery, context: Context) -> Cached[Chart]:
    """Read the ranks of up to 20 keywords over the same days; `keyword_ids` is repeated for each.

    A day without a rank is null with its reason: nobody looked, looking failed, or not found down to a depth.
    """
    return view.read(context, query)
