"""The entities of the gain model."""

from __future__ import annotations

from common.aso.entities import CTR_FIT, DATASET
from common.aso.gain_model.caches import ASO_CALIBRATION, ASO_CTR_CURVES, ASO_OUTCOMES
from common.aso.gain_model.models import CtrCurves, OpportunityOutcome, ReachModel
from common.entity import Entity, Index, Table

CTR_CURVES = Entity(
    name="ctr_curve",
    domain="aso",
    model=CtrCurves,
    collection="ctr_curves",
    key="tenant_id",
    events={"created": "ctr-curve-updated", "updated": "ctr-curve-updated", "deleted": "ctr-curve-deleted"},
    unindexed=("segments",),
    caches=(ASO_CTR_CURVES,),
)
"""One document a tenant, with all its segments: a scan reads one document."""

REACH_MODELS = Entity(
    name="reach_model",
    domain="aso",
    model=ReachModel,
    collection="reach_models",
    key="tenant_id",
    events={"created": "reach-model-updated", "updated": "reach-model-updated", "deleted": "reach-model-deleted"},
    unindexed=("covariance",),
    # The calibration view shows the model; the fit drops that answer itself, because nothing of this goes through the
    # warehouse.
    caches=(),
)

OPPORTUNITY_OUTCOMES = Entity(
    name="opportunity_outcome",
    domain="aso",
    model=OpportunityOutcome,
    collection="opportunity_outcomes",
    key="outcome_id",
    events={"created": "opportunity-measured", "updated": "opportunity-measured", "deleted": "outcome-deleted"},
    indexes=(
        Index(fields=("tenant_id", "-measured_at")),
        Index(fields=("tenant_id", "opportunity_id", "-measured_at")),
        Index(fields=("tenant_id", "horizon_days", "-measured_at")),
        Index(fields=("tenant_id", "date")),  # retention
    ),
    retention="analytics",
    aged_by="date",
    table=Table(
        dataset=DATASET,
        name="opportunity_outcomes",
        key="outcome_id",
        columns={
            "outcome_id": "STRING NOT NULL",
            "opportunity_id": "STRING NOT NULL",
            "opportunity_type": "STRING NOT NULL",
            "keyword": "STRING NOT NULL",
            "keyword_id": "STRING",
            "subject_id": "STRING NOT NULL",
            "horizon_days": "INT64 NOT NULL",
            "date": "DATE NOT NULL",
            "acted_at": "TIMESTAMP",
            "state": "STRING NOT NULL",
            "reason": "STRING",
            "basis": "STRING",
            "predicted_gain": "FLOAT64",
            "gain_low": "FLOAT64",
            "gain_high": "FLOAT64",
            "predicted_reach": "FLOAT64",
            "realised_gain": "FLOAT64",
            "realised_value_minor": "INT64",
            "currency": "STRING",
            "current_ranking": "INT64",
            "reachable_ranking": "INT64",
            "difficulty": "FLOAT64",
            "rank_before": "FLOAT64",
            "rank_after": "FLOAT64",
            "reached": "BOOL",
            "visits_before": "FLOAT64",
            "visits_after": "FLOAT64",
            "days_before": "INT64",
            "days_after": "INT64",
            "gain_model": "STRING",
            "measured_at": "TIMESTAMP NOT NULL",
            "created_at": "TIMESTAMP NOT NULL",
        },
        partition="date",
        cluster=("opportunity_type", "horizon_days"),
        immutable=True,
    ),
    caches=(ASO_OUTCOMES, ASO_CALIBRATION),
    # What came of opportunities moves the chance to reach a rank: the next fit looks at it.
    wakes=(CTR_FIT,),
)
