"""Read the history of a document."""

from common.answers import Page
from common.context import Context
from common.platform.audit import search
from common.platform.audit.models import EntryView, HistoryQuery
from triggers import http


@http.get(
    "/v1/audit/{entity}/{document_id}",
    scope="audit:read",
    roles=("admin", "manager"),
    needs={"firestore:write": "Reads the entries, and records who read them."},
)
def audit_history(entity: str, document_id: str, query: HistoryQuery, context: Context) -> Page[EntryView]:
    """Return who changed what of a document and when, newest first, with old and new values.

    404 `audit_history_not_found` where no entry of the tenant tells of such a document.
    """
    return search.history(context, entity, document_id, query)
