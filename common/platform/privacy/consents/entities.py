"""The entities of the consent ledger: its entries, and what they amount to."""

from __future__ import annotations

from common.entity import Entity, Index, Personal
from common.platform.privacy.consents.models import ConsentRecord, ConsentState

DIGESTS = "A keyed digest: it tells nobody who does not know the person already."

CONSENT_RECORDS = Entity(
    name="consent_record",
    domain="platform",
    model=ConsentRecord,
    collection="consent_records",
    key="record_id",
    events={
        "created": "consent-recorded",
        "updated": "consent-proof-erased",
    },
    # A list that filters by several of these is answered by merging them: they agree in their first and last field.
    indexes=(
        Index(fields=("tenant_id", "-at")),
        Index(fields=("tenant_id", "purpose", "-at")),
        Index(fields=("tenant_id", "email_digest", "-at")),
        Index(fields=("tenant_id", "user_digest", "-at")),
    ),
    unindexed=("proof", "source"),
    personal=(
        Personal(field="email", kind="email", erasure="clear"),
        Personal(field="user_id", kind="user_id", erasure="clear", of="email"),
        Personal(field="proof", kind="text", erasure="clear", of="email"),
        Personal(field="recorded_by", kind="user_id", erasure="pseudonymise"),
    ),
    impersonal={"email_digest": DIGESTS, "user_digest": DIGESTS},
    purpose="What people allowed and took back, as the proof that their data was used lawfully.",
    private=("proof",),
)

CONSENT_STATES = Entity(
    name="consent_state",
    domain="platform",
    model=ConsentState,
    collection="consent_states",
    key="state_id",
    events={"created": "consent-state-changed", "updated": "consent-state-changed"},
    purpose="What a person said last about a purpose, so that one read answers whether data may be used.",
)
