"""Search the audit trail."""

from common.answers import Page
from common.context import Context
from common.platform.audit import search
from common.platform.audit.models import AuditQuery, EntrySummary
from triggers import http


@http.get(
    "/v1/audit",
    scope="audit:read",
    roles=("admin", "manager"),
    needs={"firestore:write": "Reads the entries, and records who read them."},
)
def audit_list(query: AuditQuery, context: Context) -> Page[EntrySummary]:
    """Search the record of changes by document, actor, operation, field and time, newest first.

    Every change of every document of the tenant has an entry some seconds after it; refused attempts that matter have
    one, too (`operation=refused`). Values are told when an entry is read by itself.
    """
    return search.search(context, query)
