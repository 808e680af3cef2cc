"""Read the distribution of ranks over time."""

from common.answers import Cached
from common.aso.views import distribution as view
from common.aso.views.models import Distribution, DistributionQuery
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/ranks/distribution",
    scope="aso:read",
    needs={
        "bigquery:read": "Counts when the cache has no answer.",
        "redis:use": "Keeps the answer for five minutes.",
    },
)
def rank_distribution(query: DistributionQuery, context: Context) -> Cached[Distribution]:
    """Read how many keywords stood where: 1, 2-3, 4-10, 11-20, 21-50, 51-100, not found, unknown.

    A keyword stands where the newest look of the last 14 days found it; what nobody knows is `unknown`, never a drop.
    """
    return view.read(context, query)
