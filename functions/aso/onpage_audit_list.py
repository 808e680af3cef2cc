"""List the audits of a piece's page."""

from common.answers import Page
from common.aso.pages import score
from common.aso.pages.score_models import PageAudit, PageAuditQuery
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/content/{content_id}/audits",
    scope="aso:read",
    needs={"firestore:read": "Reads the piece and its audits."},
)
def onpage_audit_list(content_id: str, query: PageAuditQuery, context: Context) -> Page[PageAudit]:
    """List the on-page audits that were kept of a piece, newest first, to see how its score went."""
    return score.listed(context, content_id, query)
