"""Create or change keywords."""

from common.answers import RowResults
from common.aso import keywords
from common.aso.keyword_models import KeywordRows
from common.aso.models import KeywordSummary
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/keywords",
    scope="aso:write",
    status=207,
    timeout=120,
    needs={"firestore:write": "Stores the keywords."},
)
def keyword_upsert(body: KeywordRows, context: Context) -> RowResults[KeywordSummary]:
    """Create or change up to 500 keywords; every row is judged and answered for itself.

    A row changes the fields it has, `null` clears. KGR is computed; its class is told only up to a volume of 250.
    Intent and tier follow rules unless given. A keyword twice in one request is refused the second time
    (`duplicate_in_batch`).
    """
    return keywords.upsert(context, body.rows)
