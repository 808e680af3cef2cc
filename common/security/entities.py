"""The entity of security events."""

from common.entity import Entity, Index, Personal
from common.security.models import SecurityEvent

SECURITY_EVENTS = Entity(
    name="security_event",
    domain="platform",
    model=SecurityEvent,
    collection="security_events",
    key="event_id",
    events={"created": "security-event-recorded"},
    indexes=(Index(fields=("tenant_id", "at")),),
    unindexed=("details",),
    ttl="expires_at",
    personal=(
        Personal(field="actor_id", kind="user_id", erasure="pseudonymise"),
        Personal(field="subject_ids", kind="user_id", erasure="pseudonymise"),
    ),
    purpose="Which attempts were refused and who looked at what is sensitive, until the audit trail has it.",
    retention="operational",
    aged_by="at",
    audited="creations",
    kept={"*": "what happened cannot be undone"},
    untenanted=True,
    readers=(),
)
