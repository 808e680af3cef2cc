"""Read an entry of the audit trail."""

import uuid

from common.context import Context
from common.platform.audit import search
from common.platform.audit.models import EntryView
from triggers import http


@http.get(
    "/v1/audit/entries/{entry_id}",
    scope="audit:read",
    roles=("admin", "manager"),
    needs={"firestore:write": "Reads the entry, and records who read it."},
)
def audit_entry_get(entry_id: uuid.UUID, context: Context) -> EntryView:
    """Return an entry of the record of changes, field by field with old and new values.

    Secrets are shown as `[secret]`, private content by its size, and what was erased as `redacted`.
    """
    return search.get(context, entry_id)
