"""Search the platform's own audit trail."""

from common.answers import Page
from common.context import Context
from common.platform.audit import search
from common.platform.audit.models import AuditQuery, EntryView
from triggers import http


@http.get(
    "/v1/platform/audit",
    scope="platform:read",
    tenancy="platform",
    needs={"firestore:write": "Reads the entries, and records who read them."},
)
def audit_platform_list(query: AuditQuery, context: Context) -> Page[EntryView]:
    """Search what operators did that belongs to no tenant, and the ends of tenants, newest first.

    What operators do to a tenant stands in the tenant's own trail.
    """
    return search.whole(context, query)
