"""The entity of the audit trail."""

from common.entity import Entity, Index
from common.platform.audit.models import AuditEntry

AUDIT_ENTRIES = Entity(
    name="audit_entry",
    domain="platform",
    model=AuditEntry,
    collection="audit_entries",
    key="entry_id",
    events={},
    # A search by several of these is answered by merging them: they agree in their first and last field.
    indexes=(
        Index(fields=("tenant_id", "-at")),
        Index(fields=("tenant_id", "entity", "-at")),
        Index(fields=("tenant_id", "document_id", "-at")),
        Index(fields=("tenant_id", "actor_id", "-at")),
        Index(fields=("tenant_id", "operation", "-at")),
        Index(fields=("tenant_id", "code", "-at")),
        Index(fields=("tenant_id", "fields[]", "-at")),
        Index(fields=("tenant_id", "at")),
    ),
    unindexed=(
        *("changes", "committed", "identified", "left_out_sha256", "event_type", "function", "sequence"),
        *(
            "schema_version",
            "left_out",
            "correlation_id",
            "causation_id",
            "reverts",
            "recorded_at",
            "redacted_at",
            "erased_before",
        ),
    ),
    impersonal={"actor_id": "Found by its digest and erased by the trail itself, which keeps its chain whole."},
    purpose="Who changed what, so that changes can be explained, disputed and set back.",
    retention="security",
    aged_by="at",
    audited="never",
    kept={"*": "the audit trail itself is never set back"},
    readers=(),
    untenanted=True,
)
