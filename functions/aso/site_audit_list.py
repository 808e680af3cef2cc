"""List the audits of sites."""

from common.answers import Page
from common.aso.pages import site_audit
from common.aso.pages.site_models import SiteAudit, SiteAuditQuery
from common.context import Context
from triggers import http


@http.get("/v1/aso/site-audits", scope="aso:read", needs={"firestore:read": "Reads the audits."})
def site_audit_list(query: SiteAuditQuery, context: Context) -> Page[SiteAudit]:
    """List the audits of sitemaps and robots.txt, newest first."""
    return site_audit.listed(context, query)
