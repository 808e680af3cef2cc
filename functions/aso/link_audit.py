"""Audit the links between a hub and its spokes."""

from common.answers import Answer
from common.aso.pages import link_audit as audits
from common.aso.pages.link_models import LinkAuditAnswer, LinkAuditRequest
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/hubs/{content_id}/link-audit",
    scope="aso:write",
    rate="expensive",
    timeout=120,
    memory=512,
    max_body=16_777_216,
    needs={"firestore:write": "Reads the hub with its spokes, keeps the audit or begins its job."},
)
def link_audit(content_id: str, body: LinkAuditRequest, context: Context) -> Answer[LinkAuditAnswer]:
    """Find which links between a hub and its published spokes are missing, and which spokes nobody links to.

    Give the links of the pages as a crawler found them, or let a job fetch the pages (202): it keeps robots.txt,
    fetches three at a time and at most `max_pages`, the hub first. A spoke has no audit (`not_a_hub`).
    """
    return audits.request(context, content_id, body)
