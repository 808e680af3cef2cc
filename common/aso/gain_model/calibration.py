"""Calibration: whether opportunities bring what was predicted, from the outcomes measured so far.

Two questions, each answered by bins with counts:

* **chance**: of those predicted to reach their rank with 30 to 40 %, how many did? Ten bins of equal width, the share
  that reached with its 95 % Wilson interval, the Brier score (mean squared error of the probability; 0.25 is what a
  constant 50 % gets) and the expected calibration error (mean distance of predicted and realised share, weighted by
  counts);
* **gain**: ten groups of equal size by predicted gain, with the mean predicted and the mean realised gain.

And per type: how often the rank was reached, how often visits rose, and what was predicted and realised in all. What
could not be measured is counted with its reasons and is in no share.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field

from common import cache
from common.answers import Cached
from common.aso.gain_model.caches import ASO_CALIBRATION
from common.aso.gain_model.entities import REACH_MODELS
from common.aso.gain_model.models import AskedHorizon, Horizon, ReachModel
from common.aso.models import OpportunityType
from common.context import Context
from common.model import Model, Timestamp
from common.store import Repository
from common.warehouse.query import rows

BINS = 10
WILSON_Z = 1.959963984540054
"""Standard deviations to each side that hold 95 % of a normal distribution."""

SQL = """\
WITH outcomes AS (
  SELECT
    outcome_id,
    opportunity_type,
    state,
    reason,
    predicted_reach,
    reached,
    predicted_gain,
    realised_gain
  FROM {opportunity_outcomes_latest}
  WHERE date >= @oldest_day AND horizon_days = @horizon_days
),
grouped AS (
  SELECT
    outcome_id,
    NTILE(@bins) OVER (ORDER BY predicted_gain, outcome_id) AS gain_group
  FROM outcomes
  WHERE predicted_gain IS NOT NULL AND realised_gain IS NOT NULL
),
binned AS (
  SELECT
    opportunity_type,
    state,
    reason,
    IF(
      reached IS NULL OR predicted_reach IS NULL,
      NULL,
      CAST(FLOOR(LEAST(predicted_reach * @bins, @bins - 1)) AS INT64)
    ) AS chance_bin,
    gain_group,
    predicted_reach,
    reached,
    predicted_gain,
    realised_gain
  FROM outcomes
  LEFT JOIN grouped USING (outcome_id)
)
SELECT
  opportunity_type,
  state,
  reason,
  chance_bin,
  gain_group,
  COUNT(*) AS number,
  COUNTIF(reached IS NOT NULL) AS rank_known,
  COUNTIF(reached) AS reached,
  COUNTIF(realised_gain > 0) AS rose,
  SUM(predicted_reach) AS predicted_reach,
  SUM(POW(predicted_reach - IF(reached, 1, 0), 2)) AS squared_error,
  SUM(IF(gain_group IS NULL, NULL, predicted_gain)) AS predicted_gain,
  SUM(realised_gain) AS realised_gain
FROM binned
GROUP BY opportunity_type, state, reason, chance_bin, gain_group
"""
"""At most a few hundred rows, however many outcomes there are."""


class CalibrationQuery(Model):
    """Which outcomes to look at."""

    horizon_days: AskedHorizon = Field(default=56, description="Days after the action.", examples=[56])
    days_back: int = Field(default=365, ge=28, le=1095, description="Measured up to so many days ago.", examples=[365])


class Interval(Model):
    """A 95 % interval of a share (Wilson)."""

    low: float = Field(ge=0, le=1, examples=[0.21])
    high: float = Field(ge=0, le=1, examples=[0.64])


class ChanceBin(Model):
    """Opportunities predicted to reach their rank with about the same probability."""

    predicted_from: float = Field(examples=[0.3])
    predicted_to: float = Field(examples=[0.4])
    number: int = Field(ge=0, examples=[18])
    predicted: float | None = Field(description="Mean predicted probability; null where the bin is empty.")
    realised: float | None = Field(description="Share that reached the rank; null where the bin is empty.")
    interval: Interval | None = Field(description="Of ``realised``; null where the bin is empty.")


class GainGroup(Model):
    """Opportunities of about the same predicted gain."""

    group: int = Field(ge=1, le=BINS, description="1: the smallest gains predicted.", examples=[1])
    number: int = Field(ge=1, examples=[18])
    predicted: float = Field(description="Mean predicted gain in visits a month.", examples=[40.2])
    realised: float = Field(description="Mean realised gain in visits a month.", examples=[33.9])


class TypeCalibration(Model):
    """How opportunities of one type came out."""

    opportunity_type: OpportunityType
    measured: int = Field(ge=0, examples=[40])
    not_measurable: int = Field(ge=0, examples=[2])
    rank_known: int = Field(ge=0, description="Measured ones whose rank after is known.", examples=[38])
    reached: int = Field(ge=0, examples=[15])
    hit_rate: float | None = Field(description="reached / rank_known; null of none.", examples=[0.39])
    hit_interval: Interval | None
    rose: int = Field(ge=0, description="Measured ones whose visits rose.", examples=[27])
    predicted_gain: float = Field(description="Sum over those measured, visits a month.", examples=[1608.0])
    realised_gain: float = Field(description="Sum over those measured, visits a month.", examples=[1356.0])


class Calibration(Model):
    """Predicted against realised."""

    tenant_id: str = Field(examples=["demo"])
    horizon_days: Horizon
    days_back: int
    measured: int = Field(ge=0)
    not_measurable: int = Field(ge=0)
    reasons: dict[str, int] = Field(description="Why outcomes were not measurable, with counts.")
    chance: list[ChanceBin] = Field(description="Ten bins of equal width.")
    gain: list[GainGroup] = Field(description="Up to ten groups of equal size.")
    types: list[TypeCalibration]
    brier_score: float | None = Field(description="Of the chance; null of none. 0 is perfect.", examples=[0.19])
    calibration_error: float | None = Field(
        description="Expected calibration error of the chance; null of none. 0 is perfect.", examples=[0.07]
    )
    reach_model: ReachModel | None = Field(description="The chance to reach a rank as last fitted; null before that.")
    computed_at: Timestamp


def calibration(context: Context, query: CalibrationQuery) -> Cached[Calibration]:
    """Return the calibration through the cache ``aso_calibration``.

    Raises:
        Unavailable: BigQuery does not answer and the cache has nothing.
    """
    return cache.read_through(context, ASO_CALIBRATION, query.model_dump(), lambda: compute(context, query))


def compute(context: Context, query: CalibrationQuery, now: datetime | None = None) -> Calibration:
    """Ask the warehouse.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    moment = now or datetime.now(UTC)
    oldest = moment.date() - timedelta(days=query.days_back)
    found = rows(context, SQL, {"oldest_day": oldest, "horizon_days": query.horizon_days, "bins": BINS})
    chance = chance_bins(found)
    weighed = [(each.number, each.predicted, each.realised) for each in chance]
    judged = sum(each.number for each in chance)
    record = Repository(REACH_MODELS, context).find(context.tenant_id)
    return Calibration(
        tenant_id=context.tenant_id,
        horizon_days=query.horizon_days,
        days_back=query.days_back,
        measured=sum(row["number"] for row in found if row["state"] == "measured"),
        not_measurable=sum(row["number"] for row in found if row["state"] != "measured"),
        reasons=dict(sorted(_reasons(found).items())),
        chance=chance,
        gain=gain_groups(found),
        types=types(found),
        brier_score=_sum(found, "squared_error", of="chance_bin") / judged if judged else None,
        calibration_error=calibration_error(weighed),
        reach_model=None if record is None else record.value,
        computed_at=moment,
    )


def wilson(hits: int, number: int) -> Interval | None:
    """Return the 95 % Wilson interval of a share; None of none. It stays within 0 and 1 and holds the share."""
    if number <= 0:
        return None
    share, z2 = hits / number, WILSON_Z**2
    middle = (share + z2 / (2 * number)) / (1 + z2 / number)
    half = WILSON_Z / (1 + z2 / number) * math.sqrt(share * (1 - share) / number + z2 / (4 * number**2))
    return Interval(low=min(share, max(0.0, middle - half)), high=max(share, min(1.0, middle + half)))


def calibration_error(bins: Iterable[tuple[int, float | None, float | None]]) -> float | None:
    """Return the expected calibration error: |predicted - realised| over bins, weighted by their numbers."""
    full = [(number, predicted, realised) for number, predicted, realised in bins if number]
    total = sum(number for number, _, _ in full)
    if not total:
        return None
    return (
        math.fsum(number * abs((predicted or 0.0) - (realised or 0.0)) for number, predicted, realised in full) / total
    )


def chance_bins(found: Sequence[Mapping[str, Any]]) -> list[ChanceBin]:
    """Return the ten bins of the chance, empty ones too."""
    bins: list[ChanceBin] = []
    for number in range(BINS):
        within = [row for row in found if row["chance_bin"] == number]
        counted, hits = sum(row["number"] for row in within), sum(row["reached"] for row in within)
        bins.append(
            ChanceBin(
                predicted_from=number / BINS,
                predicted_to=(number + 1) / BINS,
                number=counted,
                predicted=_sum(within, "predicted_reach") / counted if counted else None,
                realised=hits / counted if counted else None,
                interval=wilson(hits, counted),
            )
        )
    return bins


def gain_groups(found: Sequence[Mapping[str, Any]]) -> list[GainGroup]:
    """Return the groups of predicted gain."""
    groups: list[GainGroup] = []
    for number in range(1, BINS + 1):
        within = [row for row in found if row["gain_group"] == number]
        counted = sum(row["number"] for row in within)
        if counted:
            groups.append(
                GainGroup(
                    group=number,
                    number=counted,
                    predicted=_sum(within, "predicted_gain") / counted,
                    realised=_sum(within, "realised_gain") / counted,
                )
            )
    return groups


def types(found: Sequence[Mapping[str, Any]]) -> list[TypeCalibration]:
    """Return how each type came out, in the order of names."""
    answers: list[TypeCalibration] = []
    for name in sorted({row["opportunity_type"] for row in found}):
        own = [row for row in found if row["opportunity_type"] == name]
        measured = [row for row in own if row["state"] == "measured"]
        known, reached = sum(row["rank_known"] for row in own), sum(row["reached"] for row in own)
        answers.append(
            TypeCalibration(
                opportunity_type=name,
                measured=sum(row["number"] for row in measured),
                not_measurable=sum(row["number"] for row in own if row["state"] != "measured"),
                rank_known=known,
                reached=reached,
                hit_rate=reached / known if known else None,
                hit_interval=wilson(reached, known),
                rose=sum(row["rose"] for row in own),
                predicted_gain=round(_sum(measured, "predicted_gain"), 2),
                realised_gain=round(_sum(measured, "realised_gain"), 2),
            )
        )
    return answers


def _reasons(found: Sequence[Mapping[str, Any]]) -> Counter[str]:
    reasons: Counter[str] = Counter()
    for row in found:
        if row["state"] != "measured":
            reasons[row["reason"] or "unknown"] += row["number"]
    return reasons


def _sum(found: Iterable[Mapping[str, Any]], name: str, of: str | None = None) -> float:
    return math.fsum(row[name] or 0.0 for row in found if of is None or row[of] is not None)
