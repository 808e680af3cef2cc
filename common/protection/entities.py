"""The entities that protect data and people: legal holds, suppressions, restrictions."""

from __future__ import annotations

from common.entity import Entity, Index, Personal
from common.protection.models import LegalHold, Restriction, Suppression

LEGAL_HOLDS = Entity(
    name="legal_hold",
    domain="platform",
    model=LegalHold,
    collection="legal_holds",
    key="hold_id",
    events={
        "created": "legal-hold-placed",
        "updated": "legal-hold-changed",
        "updated:status=released": "legal-hold-released",
    },
    indexes=(
        Index(fields=("tenant_id", "status", "placed_at")),
        Index(fields=("tenant_id", "status", "-placed_at")),
        Index(fields=("tenant_id", "-placed_at")),
        Index(fields=("tenant_id", "released_at")),
    ),
    unindexed=("reason", "release_reason"),
    personal=(
        Personal(field="placed_by", kind="user_id", erasure="pseudonymise"),
        Personal(field="released_by", kind="user_id", erasure="pseudonymise"),
    ),
    impersonal={"subject_digests": "Keyed digests: they tell nobody who does not know the person already."},
    purpose="What must not be destroyed while a claim is open, by whose order and why.",
    retention="accountability",
    aged_by="released_at",
)

SUPPRESSIONS = Entity(
    name="suppression",
    domain="platform",
    model=Suppression,
    collection="suppressions",
    key="suppression_id",
    events={"created": "suppression-added", "updated": "suppression-changed", "deleted": "suppression-removed"},
    indexes=(Index(fields=("tenant_id", "-added_at")), Index(fields=("tenant_id", "purpose", "-added_at"))),
    unindexed=("note", "reason"),
    personal=(Personal(field="added_by", kind="user_id", erasure="pseudonymise"),),
    purpose="Which addresses must not be used for what; kept after an erasure, so that nobody writes to them again.",
)

RESTRICTIONS = Entity(
    name="restriction",
    domain="platform",
    model=Restriction,
    collection="restrictions",
    key="restriction_id",
    events={
        "created": "processing-restricted",
        "updated": "processing-restriction-changed",
        "deleted": "processing-restriction-lifted",
    },
    unindexed=("objected", "withdrawn", "lift_reason"),
    purpose="What people asked not to be done with their data, so that readers can leave it alone.",
)
