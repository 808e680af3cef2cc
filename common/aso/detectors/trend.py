"""Whether a series falls: the Mann-Kendall test with the correction for ties, and Sen's slope of the logarithm.

Both look at pairs of observations only, so they ask for no distribution, a single wild week moves them little, and a
missing week is simply no pair. Weeks keep their distance: two observations three weeks apart with a factor between them
are three weeks of slope.

* Mann (1945), Kendall (1975): ``S`` is the number of rising pairs less the number of falling ones. Without a trend its
  variance is ``[n(n-1)(2n+5) - sum t(t-1)(2t+5)] / 18`` over the groups of ``t`` equal values; the two-sided p comes
  from the normal approximation with the continuity correction (``|S| - 1``).
* Sen (1968): the median of the slopes of all pairs. Here of ``ln(visits + 1/2)``, so that it is a rate: ``exp(slope) -
  1`` is the change a week. The half keeps a week without a visit in the series; to the test it makes no difference,
  which sees the order of values only.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

SIGNIFICANCE = 0.05
FALLING_FASTER_THAN = -0.02
"""Change a week from which on a falling series is decay."""
OBSERVED_WEEKS = 8
"""Weeks with data that a verdict needs."""
ZERO_SHIFT = 0.5

Series = Sequence[float | None]
"""One value a week, the oldest first; None: the week was not observed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trend:
    """What a series does.

    Attributes:
        weeks: Observed weeks.
        score: Mann-Kendall S.
        p_value: Two-sided probability of such a score without a trend; 1 where nothing can be said.
        weekly_change: Sen's slope as the change a week: -0.03 is three per cent less every week; 0 without pairs.
    """

    weeks: int
    score: int
    p_value: float
    weekly_change: float

    @property
    def is_decay(self) -> bool:
        """Whether the series falls, fast enough and beyond chance, on enough observations."""
        return (
            self.weeks >= OBSERVED_WEEKS
            and self.score < 0
            and self.p_value < SIGNIFICANCE
            and self.weekly_change < FALLING_FASTER_THAN
        )


def trend_of(series: Series) -> Trend:
    """Return the trend of a weekly series; weeks that were not observed are left out, not taken for zero.

    Args:
        series: Values of at most some sixty weeks (the work grows with the square), none negative.
    """
    observed = [(week, value) for week, value in enumerate(series) if value is not None]
    score = mann_kendall_score([value for _, value in observed])
    return Trend(
        weeks=len(observed),
        score=score,
        p_value=p_value_of(score, [value for _, value in observed]),
        weekly_change=math.expm1(sen_slope([(week, math.log(value + ZERO_SHIFT)) for week, value in observed])),
    )


def mann_kendall_score(values: Sequence[float]) -> int:
    """Return the number of rising pairs less the number of falling ones."""
    return sum((later > earlier) - (later < earlier) for earlier, later in combinations(values, 2))


def score_variance(values: Sequence[float]) -> float:
    """Return the variance of the score where there is no trend, corrected for equal values."""
    ties = sum(_cubic(times) for times in Counter(values).values())
    return (_cubic(len(values)) - ties) / 18


def p_value_of(score: int, values: Sequence[float]) -> float:
    """Return the two-sided probability of a score at least as far from 0 where there is no trend."""
    variance = score_variance(values)
    if variance <= 0 or score == 0:
        return 1.0
    return math.erfc((abs(score) - 1) / math.sqrt(2 * variance))


def sen_slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median slope of all pairs of ``(place, value)`` points; 0 where there is no pair."""
    slopes = [(later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in combinations(points, 2)]
    return median(slopes) if slopes else 0.0


def _cubic(times: int) -> int:
    return times * (times - 1) * (2 * times + 5)
