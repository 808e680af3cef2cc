"""Read the rank history of a keyword."""

from common.aso import rank_history as history
from common.aso.rank_models import HistoryQuery, RankHistory
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/keywords/{keyword_id}/history",
    scope="aso:read",
    needs={"firestore:read": "Reads the keyword and its observations."},
)
def rank_history(keyword_id: str, query: HistoryQuery, context: Context) -> RankHistory:
    """Read a keyword's ranks, one entry for every day of at most 400 days.

    A day without a rank is a gap with its reason: nobody looked, the check failed, or the page was not found down to a
    depth. It is never shown as a drop.
    """
    return history.read(context, keyword_id, query)
