"""Read a keyword."""

from common.answers import Record
from common.aso import keywords
from common.aso.models import Keyword
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/keywords/{keyword_id}",
    scope="aso:read",
    needs={"firestore:read": "Reads the keyword."},
)
def keyword_get(keyword_id: str, context: Context) -> Record[Keyword]:
    """Read a keyword with its current, average and best rank and its last 30 days with a check."""
    return keywords.get(context, keyword_id)
