"""The entity of rank alerts."""

from __future__ import annotations

from common.aso.tracking.alert_models import RankAlert
from common.entity import Entity, Index, Personal

RANK_ALERTS = Entity(
    name="rank_alert",
    domain="aso",
    model=RankAlert,
    collection="rank_alerts",
    key="alert_id",
    events={
        "created": "rank-alert-raised",
        "updated": "rank-alert-updated",
        "updated:status=acknowledged": "rank-alert-acknowledged",
        "deleted": "rank-alert-deleted",
    },
    indexes=(
        Index(fields=("tenant_id", "-created_at")),
        Index(fields=("tenant_id", "status", "-created_at")),
        Index(fields=("tenant_id", "direction", "-created_at")),
        Index(fields=("tenant_id", "keyword_id", "-created_at")),
        Index(fields=("tenant_id", "created_at")),  # retention
    ),
    unindexed=("url", "previous_url", "note", "band_low", "band_high", "observation_id"),
    personal=(
        Personal(field="acknowledged_by", kind="user_id", erasure="pseudonymise"),
        Personal(field="note", kind="text", erasure="clear"),
    ),
    purpose="Which moves of a ranking were told to whom it concerns, and who took note of them.",
    retention="analytics",
    aged_by="created_at",
    revertible=("note",),
    kept={"*": "An alert tells of ranks that were observed, and its status of who saw it."},
)
