"""Read the newest link audit of a hub."""

from common.aso.pages import link_audit
from common.aso.pages.link_models import LinkAuditReport
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/hubs/{content_id}/link-audit",
    scope="aso:read",
    needs={"firestore:read": "Reads the audit, and the pieces whose links are missing."},
)
def link_audit_get(content_id: str, context: Context) -> LinkAuditReport:
    """Return the newest audit of a hub: coverage, orphans, and the missing links with a text to link with."""
    return link_audit.latest(context, content_id)
