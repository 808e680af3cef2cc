"""The documents and answers of the gain model: fitted curves, the reach model, measured outcomes, calibration."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from common.aso.gain import WORST_RANK
from common.aso.models import Currency, Day, Identifier, OpportunityType
from common.model import Model, Timestamp

_MOMENT = "2026-01-31T12:00:00.000000Z"
_ID = "0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"

Share = Annotated[float, Field(ge=0, le=1)]
ByRank = Annotated[list[float], Field(min_length=WORST_RANK, max_length=WORST_RANK)]
CurveBasis = Literal["search_performance", "keywords", "none"]
CurveState = Literal["fitted", "kept"]
CurveReason = Literal["too_few_impressions", "too_few_clicks", "too_few_ranks"]
Horizon = Literal[28, 56]


def _number(text: Any) -> Any:
    return int(text) if isinstance(text, str) and text.isdecimal() else text


AskedHorizon = Annotated[Horizon, BeforeValidator(_number)]
"""A horizon in the query of an address, where every value is a text."""
GainBasis = Literal["clicks", "rank"]
OutcomeReason = Literal[
    "action_date_unknown",
    "nothing_to_observe",
    "nothing_observed_before",
    "nothing_observed_after",
]


class CtrSegment(Model):
    """The click-through by rank of one segment of a tenant's searches."""

    key: str = Field(description="``all``, ``brand``, ``nonbrand/device:mobile``, ``feature:video``.", examples=["all"])
    state: CurveState = Field(description="``kept``: too little was seen, the parent's curve holds.")
    reason: CurveReason | None = Field(default=None, description="What was missing.", examples=[None])
    parent: str = Field(description="Segment it was shrunk towards, or ``prior``.", examples=["prior"])
    strength: float = Field(description="Impressions the parent counts for at each rank.", examples=[251.19])
    total_impressions: int = Field(ge=0, description="Within the first 30 ranks.", examples=[55685])
    total_clicks: int = Field(ge=0, examples=[1171])
    click_through: ByRank = Field(description="Of ranks 1 to 30; never rises.")
    impressions: ByRank = Field(description="Seen at ranks 1 to 30; fractions where a position lay between two.")
    clicks: ByRank = Field(description="At ranks 1 to 30.")


class CtrCurves(Model):
    """The click-through curves of a tenant; one document a tenant."""

    tenant_id: str = Field(examples=["demo"])
    version: int = Field(ge=0, description="Counts how often a fit changed a curve; 0: the prior.", examples=[3])
    basis: CurveBasis = Field(description="Where the clicks come from.", examples=["search_performance"])
    from_date: Day | None = Field(default=None, description="First day that was looked at.")
    until_date: Day | None = Field(default=None, description="Last day that was looked at.")
    rows_used: int = Field(default=0, ge=0, examples=[48211])
    rows_left_out: int = Field(
        default=0, ge=0, description="Rows that cannot be true, such as more clicks than impressions.", examples=[0]
    )
    segments: list[CtrSegment] = Field(default_factory=list)
    fitted_at: Timestamp | None = Field(default=None, description="Null: never; all is the prior.", examples=[_MOMENT])
    created_at: Timestamp | None = Field(default=None, examples=[_MOMENT])
    updated_at: Timestamp | None = Field(
        default=None, description="When a fit last changed a curve.", examples=[_MOMENT]
    )


class ReachModel(Model):
    """The chance to reach a rank, as re-fitted from what came of opportunities; one document a tenant.

    ``logit = intercept - per_difficulty x difficulty - per_log_rank x ln(current / target)``
    """

    tenant_id: str = Field(examples=["demo"])
    version: int = Field(ge=0, description="Counts how often a fit changed it; 0: the prior.", examples=[1])
    intercept: float = Field(examples=[1.5])
    per_difficulty: float = Field(examples=[0.04])
    per_log_rank: float = Field(examples=[1.2])
    covariance: list[float] = Field(min_length=9, max_length=9, description="Row by row.")
    attempts: int = Field(ge=0, description="Measured outcomes it was fitted to.", examples=[48])
    reached: int = Field(ge=0, description="Of those, the ones that reached the rank aimed at.", examples=[19])
    reason: Literal["too_few_outcomes", "not_converged"] | None = Field(
        default=None, description="Why it is the prior; null where it was fitted.", examples=[None]
    )
    fitted_at: Timestamp = Field(examples=[_MOMENT])
    created_at: Timestamp = Field(examples=[_MOMENT])
    updated_at: Timestamp = Field(examples=[_MOMENT])


class OpportunityOutcome(Model):
    """What came of an opportunity, some weeks after it was acted on. Never changes."""

    outcome_id: str = Field(description="UUID version 5 of opportunity and horizon.", examples=[_ID])
    tenant_id: str = Field(examples=["demo"])
    opportunity_id: str = Field(examples=[_ID])
    opportunity_type: OpportunityType = Field(examples=["low_hanging_fruit"])
    keyword: str = Field(examples=["qr code scanner"])
    keyword_id: str | None = Field(default=None, examples=[_ID])
    subject_id: str = Field(examples=[_ID])
    horizon_days: Horizon = Field(description="Days after the action on which it was measured.", examples=[28])
    date: Day = Field(description="Last day of the window after.")
    acted_at: Timestamp | None = Field(examples=[_MOMENT])
    state: Literal["measured", "not_measurable"] = Field(examples=["measured"])
    reason: OutcomeReason | None = Field(default=None, description="Why it is not measurable.", examples=[None])
    basis: GainBasis | None = Field(
        default=None,
        description="``clicks``: visits counted before and after; ``rank``: demand times click-through at the ranks "
        "observed before and after.",
        examples=["clicks"],
    )
    predicted_gain: float | None = Field(default=None, description="Visits a month.", examples=[84.7])
    gain_low: float | None = Field(default=None, examples=[31.2])
    gain_high: float | None = Field(default=None, examples=[160.4])
    predicted_reach: float | None = Field(default=None, ge=0, le=1, examples=[0.41])
    realised_gain: float | None = Field(
        default=None, description="Visits a month more than before; negative where they fell.", examples=[61.0]
    )
    realised_value_minor: int | None = Field(default=None, examples=[1525])
    currency: Currency | None = Field(default=None, examples=["EUR"])
    current_ranking: int | None = Field(default=None, ge=1, description="When it was found.", examples=[12])
    reachable_ranking: int | None = Field(default=None, ge=1, description="Rank aimed at.", examples=[7])
    difficulty: float | None = Field(default=None, ge=0, le=100, examples=[38.0])
    rank_before: float | None = Field(default=None, ge=1, description="Mean over the window.", examples=[12.4])
    rank_after: float | None = Field(default=None, ge=1, examples=[6.8])
    reached: bool | None = Field(
        default=None, description="Whether the rank aimed at was reached; null where no rank is known.", examples=[True]
    )
    visits_before: float | None = Field(default=None, ge=0, description="A month.", examples=[40.0])
    visits_after: float | None = Field(default=None, ge=0, description="A month.", examples=[101.0])
    days_before: int = Field(default=0, ge=0, description="Days with data in the 28 before the action.", examples=[28])
    days_after: int = Field(default=0, ge=0, description="Days with data in the 28 up to ``date``.", examples=[27])
    gain_model: str | None = Field(default=None, examples=["curve-3.reach-1"])
    measured_at: Timestamp = Field(examples=[_MOMENT])
    created_at: Timestamp = Field(examples=[_MOMENT])


class CurveQuery(Model):
    """Which curves to list."""

    segment: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="Only this one.", examples=["nonbrand"]
    )


class OutcomeQuery(Model):
    """Which outcomes to list."""

    opportunity_id: Identifier | None = Field(default=None, examples=[_ID])
    horizon_days: AskedHorizon | None = Field(default=None, examples=[28])
    limit: int = Field(default=50, ge=1, le=200, examples=[50])
    cursor: str | None = Field(default=None, max_length=4096, description="``next_cursor`` of the page before.")


class FitResult(Model):
    """What a fit found."""

    changed: bool = Field(description="Whether a curve or the reach model differs from before.", examples=[True])
    curves: CtrCurves
    reach: ReachModel


class FitTask(Model):
    """One tenant to fit; the tenant itself travels with the task.

    Attributes:
        working_since: Names the claim that ends with the fit.
    """

    working_since: Timestamp


class OutcomeTask(Model):
    """One tenant whose outcomes are due; the tenant itself travels with the task.

    Attributes:
        working_since: Names the claim that ends with the measuring.
    """

    working_since: Timestamp
