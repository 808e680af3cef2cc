"""List opportunities."""

from common.answers import Cached, Page
from common.aso import opportunities
from common.aso.models import Opportunity
from common.aso.opportunity_models import OpportunityQuery
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/opportunities",
    scope="aso:read",
    needs={
        "firestore:read": "Reads the opportunities when the cache has no answer.",
        "redis:use": "Keeps the answer for four minutes.",
    },
)
def opportunity_list(query: OpportunityQuery, context: Context) -> Cached[Page[Opportunity]]:
    """List opportunities by status, type and age, the greatest expected gain first.

    Answers are cached for 240 seconds and dropped when an opportunity changes; `X-Cache` and `Age` tell.
    """
    return opportunities.listed(context, query)
