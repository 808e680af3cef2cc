"""Score a page for a keyword."""

from common.aso.pages import score
from common.aso.pages.score_models import OnPageRequest, PageAudit
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/onpage-score",
    scope="aso:write",
    rate="expensive",
    timeout=120,
    memory=1024,
    concurrency=4,
    max_body=6_291_456,
    needs={"firestore:write": "Keeps the audit in the history of its piece."},
)
def onpage_score(body: OnPageRequest, context: Context) -> PageAudit:
    """Score a page 0 to 100 from its HTML, its text or its address: keyword placement, head, headings, links, images.

    Each check comes with weight, status, evidence and advice; readability by the formula of the text's language
    (English, German, French, Spanish, Italian), and none for others. With `content_id` the audit is kept. Only
    public addresses are fetched, up to 5 MB (`blocked_address`, `response_too_large`).
    """
    return score.score(context, body)
