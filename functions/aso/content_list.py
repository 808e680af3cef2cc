"""List pieces of ASO content."""

from common.answers import Cached, Page
from common.aso import content
from common.aso.content_models import ContentQuery
from common.aso.models import ContentPiece
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/content",
    scope="aso:read",
    needs={
        "firestore:read": "Reads the pieces when the cache has no answer.",
        "redis:use": "Keeps the answer for two minutes.",
    },
)
def content_list(query: ContentQuery, context: Context) -> Cached[Page[ContentPiece]]:
    """List pieces, newest first, by status, type, hub and age.

    Answers are cached for 120 seconds and dropped when a piece changes; `X-Cache` and `Age` tell.
    """
    return content.listed(context, query)
