"""What moving a page up is worth: the click-through prior, the chance to get there, and the gain expected in visits.

``gain = demand x (click_through(target) - click_through(current)) x reach(current, target, difficulty)``

in visits a month, for the target rank at which it is largest. The numbers here are **priors**: a published average
curve and chosen coefficients. ``common.aso.gain_model`` replaces them by what was fitted to the tenant's own pages,
where there is enough to fit; the formulas stay these. Answers say which it was, and the confidence never reaches 1.

The scan evaluates the same formula in BigQuery (``common.aso.scan_query``) with the tenant's curve and coefficients as
parameters; a test holds the two against each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

DemandBasis = Literal["search_volume", "observed_impressions"]

CLICK_THROUGH_SOURCE = "SISTRIX, click-through rates over 80 million keywords, July 2020"
"""Where the first ten values come from. The study gives page two only as "well below one per cent a position"."""

FIRST_PAGE_CLICK_THROUGH = (0.285, 0.157, 0.11, 0.08, 0.072, 0.051, 0.04, 0.032, 0.028, 0.025)
"""Average share of searches that click the organic result at ranks 1 to 10."""

LATER_PAGES_START = 0.009
LATER_PAGES_DECAY = 0.93
"""Ranks from 11 on: below one per cent and falling seven per cent a rank. The shape is ours: the study gives none."""

WORST_RANK = 30
"""Rank from which on the scan expects nothing."""

BEST_CANDIDATES = 10
"""A target lies on the first page: moving from rank 28 to 22 is worth next to nothing."""

REACH_INTERCEPT = 1.5
REACH_PER_DIFFICULTY = 0.04
REACH_PER_LOG_RANK = 1.2
"""Coefficients of the reach prior, chosen so that a step from 11 to 10 at difficulty 25 succeeds about six times in
ten, from 20 to 3 about once in seven, and from 10 to 1 at difficulty 80 about once in a hundred."""


class ReachCoefficients(NamedTuple):
    """Coefficients of the chance to reach a rank; see ``reach``."""

    intercept: float
    per_difficulty: float
    per_log_rank: float


REACH_PRIOR = ReachCoefficients(REACH_INTERCEPT, REACH_PER_DIFFICULTY, REACH_PER_LOG_RANK)

NEUTRAL_DIFFICULTY = 50
"""What the reach prior uses where the difficulty is unknown: the middle of the scale. The confidence pays for it."""

PRIOR_CONFIDENCE = 0.9
BASIS_CONFIDENCE: dict[DemandBasis, float] = {"search_volume": 1.0, "observed_impressions": 0.8}
UNKNOWN_PERIOD_CONFIDENCE = 0.75
UNKNOWN_DIFFICULTY_CONFIDENCE = 0.6
AGE_HALVING_DAYS = 30
"""The age factor falls in a straight line from 1 on the day of the check to a half at this age."""


def _curve() -> tuple[float, ...]:
    later = (LATER_PAGES_START * LATER_PAGES_DECAY**step for step in range(WORST_RANK - len(FIRST_PAGE_CLICK_THROUGH)))
    return (*FIRST_PAGE_CLICK_THROUGH, *later)


CLICK_THROUGH = _curve()
"""Click-through prior of ranks 1 to ``WORST_RANK``; strictly falling."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """What an improvement is expected to bring.

    Attributes:
        target: Rank aimed at, 1 to 10.
        reach: Probability to reach it, 0..1.
        gain: Visits a month, not rounded.
    """

    target: int
    reach: float
    gain: float


def click_through(rank: int, curve: Sequence[float] = CLICK_THROUGH) -> float:
    """Return the share of searches that click the result at ``rank`` (1-based); 0 beyond ``WORST_RANK``."""
    return curve[rank - 1] if 1 <= rank <= WORST_RANK else 0.0


def difficulty_point(difficulty: float | None) -> int:
    """Return the whole point of 0..100 the reach prior works with; halves round up, unknown is neutral.

    The prior is far coarser than one point, and whole points let the warehouse look gains up instead of computing them.
    """
    if difficulty is None:
        return NEUTRAL_DIFFICULTY
    return min(100, max(0, math.floor(difficulty + 0.5)))


def reach_logit(
    current: float, target: float, difficulty: float | None, coefficients: ReachCoefficients = REACH_PRIOR
) -> float:
    """Return the logarithm of the odds of ``reach``."""
    return (
        coefficients.intercept
        - coefficients.per_difficulty * difficulty_point(difficulty)
        - coefficients.per_log_rank * math.log(current / target)
    )


def reach(
    current: float, target: float, difficulty: float | None, coefficients: ReachCoefficients = REACH_PRIOR
) -> float:
    """Return the probability to move from rank ``current`` to the better rank ``target``.

    Logistic in the difficulty (0..100) and the logarithm of the ratio of the ranks: each halving of the rank costs the
    same odds, wherever it starts.
    """
    return 1 / (1 + math.exp(-reach_logit(current, target, difficulty, coefficients)))


def expect(
    *,
    current: int,
    demand: float,
    difficulty: float | None,
    curve: Sequence[float] = CLICK_THROUGH,
    coefficients: ReachCoefficients = REACH_PRIOR,
) -> Expectation | None:
    """Return the best target for a page at rank ``current``, or None where no better rank is worth anything.

    Args:
        current: Rank now, from 1; beyond ``WORST_RANK`` the page has no visits.
        demand: Searches a month, or impressions seen a month.
        difficulty: 0..100, or None if unknown.
        curve: Click-through of ranks 1 to ``WORST_RANK``, never rising.
        coefficients: Of the chance to get there.

    Ties go to the nearer (numerically larger) target: the same gain for less of a climb.
    """
    best: Expectation | None = None
    for target in range(min(current - 1, BEST_CANDIDATES), 0, -1):
        chance = reach(current, target, difficulty, coefficients)
        gain = demand * (click_through(target, curve) - click_through(current, curve)) * chance
        if gain > 0 and (best is None or gain > best.gain):
            best = Expectation(target=target, reach=chance, gain=gain)
    return best


def confidence(*, basis: DemandBasis, period_known: bool, difficulty_known: bool, age_days: int) -> float:
    """Return how far the inputs can be trusted, in 0..1: a product of factors for what is missing or old.

    * 0.9 because curve and reach are priors;
    * 0.8 where demand is the impressions observed (a lower bound, seen at today's rank), and 0.75 more where the
      period of the export is unknown;
    * 0.6 where the difficulty is unknown;
    * from 1 down to 0.5 with the age of the last check, over 30 days.
    """
    score = PRIOR_CONFIDENCE * BASIS_CONFIDENCE[basis]
    if basis == "observed_impressions" and not period_known:
        score *= UNKNOWN_PERIOD_CONFIDENCE
    if not difficulty_known:
        score *= UNKNOWN_DIFFICULTY_CONFIDENCE
    age = min(max(age_days, 0), AGE_HALVING_DAYS)
    return score * (1 - 0.5 * age / AGE_HALVING_DAYS)


def seed_score(search_volume: int | None, difficulty: float | None) -> float | None:
    """Return the score of document 000, volume / difficulty; None where either is unknown or the difficulty is 0."""
    if search_volume is None or not difficulty:
        return None
    return search_volume / difficulty
