"""The entities of retention: what a tenant chose, and what was removed."""

from __future__ import annotations

from common.entity import Entity, Index, Personal
from common.platform.privacy.retention.models import RetentionPolicy, RetentionRun

RETENTION_POLICIES = Entity(
    name="retention_policy",
    domain="platform",
    model=RetentionPolicy,
    collection="retention_policies",
    key="tenant_id",
    events={
        "created": "retention-policy-changed",
        "updated": "retention-policy-changed",
        "deleted": "retention-policy-deleted",
    },
    personal=(Personal(field="updated_by", kind="user_id", erasure="pseudonymise"),),
    purpose="How long the tenant wants records kept, and who decided it.",
)

RETENTION_RUNS = Entity(
    name="retention_run",
    domain="platform",
    model=RetentionRun,
    collection="retention_runs",
    key="run_id",
    events={"created": "retention-enforced", "updated": "retention-enforced"},
    indexes=(Index(fields=("tenant_id", "-started_at")), Index(fields=("tenant_id", "finished_at"))),
    unindexed=("removed", "kept", "rows", "periods"),
    purpose="What was removed because its time was over, as the proof that it was.",
    retention="accountability",
    aged_by="finished_at",
)
