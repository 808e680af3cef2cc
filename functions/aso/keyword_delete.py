"""Delete a keyword."""

from common.aso import keywords
from common.context import Context
from triggers import http


@http.delete(
    "/v1/aso/keywords/{keyword_id}",
    scope="aso:write",
    status=204,
    if_match="optional",
    needs={"firestore:write": "Deletes the keyword."},
)
def keyword_delete(keyword_id: str, context: Context) -> None:
    """Stop following a keyword.

    Its rank observations stay and are taken up again if the keyword is followed again. Its opportunities are closed by
    the next scan.
    """
    keywords.delete(context, keyword_id)
