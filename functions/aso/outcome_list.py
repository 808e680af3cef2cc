"""List outcomes of opportunities."""

from common.answers import Cached, Page
from common.aso.gain_model import outcomes
from common.aso.gain_model.models import OpportunityOutcome, OutcomeQuery
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/outcomes",
    scope="aso:read",
    needs={
        "firestore:read": "Reads the outcomes when the cache has no answer.",
        "redis:use": "Keeps the answer for four minutes.",
    },
)
def outcome_list(query: OutcomeQuery, context: Context) -> Cached[Page[OpportunityOutcome]]:
    """List what came of opportunities 28 and 56 days after they were acted on, the newest first.

    `not_measurable` has its reason; nothing missing is ever counted as zero.
    """
    return outcomes.listed(context, query)
