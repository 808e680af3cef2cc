"""List keywords."""

from common.answers import Cached, Page
from common.aso import keywords
from common.aso.keyword_models import KeywordQuery
from common.aso.models import KeywordSummary
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/keywords",
    scope="aso:read",
    needs={
        "firestore:read": "Reads the keywords when the cache has no answer.",
        "redis:use": "Keeps the answer for three minutes.",
    },
)
def keyword_list(query: KeywordQuery, context: Context) -> Cached[Page[KeywordSummary]]:
    """List keywords by tier, intent, content piece and age of the last check.

    Newest keyword first; with `days` newest check first. SERP history, competitors and provenance are told when a
    keyword is read by itself. Answers are cached for 180 seconds and dropped when a keyword changes; `X-Cache` and
    `Age` tell.
    """
    return keywords.listed(context, query)
