"""Audit the sitemaps and the robots.txt of a site."""

from common.answers import Answer
from common.aso.pages import site_audit as audits
from common.aso.pages.site_models import SiteAuditAnswer, SiteAuditRequest
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/site-audit",
    scope="aso:write",
    rate="expensive",
    timeout=300,
    memory=1024,
    concurrency=2,
    max_body=16_777_216,
    needs={"firestore:write": "Compares with the published pieces, keeps the audit or begins its job."},
)
def site_audit(body: SiteAuditRequest, context: Context) -> Answer[SiteAuditAnswer]:
    """Audit sitemaps and robots.txt: given ones at once, those of a site by a job that fetches them (202).

    Finds addresses that robots.txt forbids, published pieces that are missing, stale dates, wrong hosts, duplicates,
    news too old, and whatever is wrong with the files themselves. Sitemaps are XML, text or gzip, or an index of them.
    Document type declarations are never read; only public addresses are fetched (`blocked_address`).
    """
    return audits.request(context, body)
