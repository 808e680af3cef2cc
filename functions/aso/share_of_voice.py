"""Read the share of voice."""

from common.answers import Cached
from common.aso.views import share_of_voice as view
from common.aso.views.models import ShareOfVoice, ShareQuery
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/share-of-voice",
    scope="aso:read",
    needs={
        "bigquery:read": "Adds the visits up when the cache has no answer.",
        "firestore:read": "Reads the competitors and the gain model.",
        "redis:use": "Keeps the answer for five minutes.",
    },
)
def share_of_voice(query: ShareQuery, context: Context) -> Cached[ShareOfVoice]:
    """Read how the visits that organic results bring are divided between us, the competitors and the rest.

    The shares sum to 1,000,000 parts exactly. Keywords without known demand, or for which a competitor was not looked
    for, are left out and counted.
    """
    return view.read(context, query)
