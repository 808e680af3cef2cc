"""Read which keywords moved."""

from common.answers import Cached
from common.aso.views import movers as view
from common.aso.views.models import Movers, MoversQuery
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/ranks/movers",
    scope="aso:read",
    needs={
        "bigquery:read": "Compares the days when the cache has no answer.",
        "firestore:read": "Reads the gain model.",
        "redis:use": "Keeps the answer for five minutes.",
    },
)
def movers(query: MoversQuery, context: Context) -> Cached[Movers]:
    """Read which keywords moved between two days, the greatest change of expected visits first.

    A keyword that nobody looked at around one of the days is counted as `unknown` and is no mover.
    """
    return view.read(context, query)
