"""Merge a keyword into another."""

from common.aso.merging import service
from common.aso.merging.models import KeywordMerge, MergeRequest
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/keywords/{keyword_id}/merge",
    scope="aso:write",
    rate="expensive",
    timeout=300,
    memory=512,
    needs={"firestore:write": "Moves what is known of the keyword, and deletes it."},
)
def keyword_merge(keyword_id: str, body: MergeRequest, context: Context) -> KeywordMerge:
    """Merge a keyword into the one that stays, as if there had always been one.

    Rank observations, opportunities, content and other references become the staying keyword's; of each number the
    one told last is kept. With `dry_run` it only tells what would change. A merging that was interrupted goes on when
    it is asked for again; it cannot be undone. A spelling that is imported again becomes a keyword again.
    """
    return service.merge(context, keyword_id, body)
