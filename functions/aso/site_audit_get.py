"""Read the audit of a site."""

from common.answers import Record
from common.aso.pages import site_audit
from common.aso.pages.site_models import SiteAudit
from common.context import Context
from triggers import http


@http.get("/v1/aso/site-audits/{audit_id}", scope="aso:read", needs={"firestore:read": "Reads the audit."})
def site_audit_get(audit_id: str, context: Context) -> Record[SiteAudit]:
    """Return an audit with its findings, errors first, each with its number and examples."""
    return site_audit.get(context, audit_id)
