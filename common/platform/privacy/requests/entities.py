"""The entity of requests of people about their data."""

from __future__ import annotations

from common.entity import Entity, Index, Personal
from common.platform.privacy.requests.models import StoredRequest

PRIVACY_REQUESTS = Entity(
    name="privacy_request",
    domain="platform",
    model=StoredRequest,
    collection="privacy_requests",
    key="request_id",
    events={
        "created": "privacy-request-received",
        "updated": "privacy-request-changed",
        "updated:deadline=overdue": "privacy-request-overdue",
        "updated:status=verified": "privacy-request-verified",
        "updated:status=in_progress": "privacy-request-started",
        "updated:status=done": "privacy-request-done",
        "updated:status=refused": "privacy-request-refused",
    },
    # A list that filters by several of these is answered by merging them: they agree in their first and last field.
    indexes=(
        Index(fields=("tenant_id", "-received_at")),
        Index(fields=("tenant_id", "status", "-received_at")),
        Index(fields=("tenant_id", "type", "-received_at")),
        Index(fields=("tenant_id", "deadline", "-received_at")),
        Index(fields=("tenant_id", "waits", "-received_at")),
        Index(fields=("tenant_id", "closed_at")),
    ),
    unindexed=("details", "outcome", "extension_reason", "verification", "waiting"),
    personal=(
        Personal(field="email", kind="email", erasure="clear"),
        Personal(field="user_id", kind="user_id", erasure="clear", of="email"),
        Personal(field="details", kind="text", erasure="clear", of="email"),
        Personal(field="created_by", kind="user_id", erasure="pseudonymise"),
    ),
    impersonal={"subject_digests": "Keyed digests: they tell nobody who does not know the person already."},
    purpose="What people asked for about their data and what was answered, as the proof of it.",
    secret=("verification",),
    private=("details",),
    retention="accountability",
    aged_by="closed_at",
)
