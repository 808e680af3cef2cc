"""The gain model of a tenant: its click-through curves, its chance to reach a rank, what a visit is worth to it.

Everything that states an expected gain asks this model, so that all of it is on one scale (``scale`` says how). What
was not fitted to the tenant is the prior of ``common.aso.gain``.

**Intervals.** ``low`` and ``high`` bound the *expected* gain (not what one attempt will bring) at 90 %. They follow
from a first-order approximation on the logarithm of the gain, with two independent sources:

* the click-through at a rank is uncertain as a beta distribution of mean c and ``n + m`` pseudo-impressions is, with n
  impressions seen and m the strength of the prior: variance c (1 - c) / (n + m + 1);
* the logarithm of the odds to get there is uncertain as the coefficients are: variance x' S x, S their covariance.

``sd(log gain)² = var(change) / change² + ((1 - reach) sd(logit))²``; the interval is the gain times and over
``exp(1.645 sd)``. It never crosses zero, which is right for an expectation known to be positive and crude where the
change is small against its own uncertainty: there it becomes wide, and says so by being wide.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from common.aso import gain
from common.aso.gain import BEST_CANDIDATES, REACH_PRIOR, WORST_RANK, ReachCoefficients
from common.aso.models import Device
from common.aso.normalize import holds_term

PRIOR_VERSION = "prior"
PRIOR_STRENGTH = 50.0
"""Impressions a rank the prior curve counts for where nothing was fitted: sites differ a lot at the same rank."""
UNRANKED = WORST_RANK + 1
"""Where a page that does not rank stands: just beyond the last rank that brings visits."""
INTERVAL = 0.9
INTERVAL_Z = 1.6448536269514722
"""Standard deviations to each side that hold 90 % of a normal distribution."""
WIDEST = math.log(100.0)
"""A bound is never further from the gain than a factor of a hundred."""

Covariance = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
REACH_PRIOR_SPREAD = (1.0, 0.015, 0.5)
"""Standard deviations of the prior coefficients, chosen: sites are as unlike in their reach as in little else."""
REACH_PRIOR_COVARIANCE: Covariance = (
    (REACH_PRIOR_SPREAD[0] ** 2, 0.0, 0.0),
    (0.0, REACH_PRIOR_SPREAD[1] ** 2, 0.0),
    (0.0, 0.0, REACH_PRIOR_SPREAD[2] ** 2),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """Which searches a curve is about; None leaves a side open.

    Attributes:
        brand: Whether the search names the tenant's brand.
        device: ``desktop``, ``mobile`` or ``tablet``; ``all`` is the same as None.
        feature: Something else the result page showed, such as ``ai_overview``.
    """

    brand: bool | None = None
    device: Device | None = None
    feature: str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the curves that could answer, the narrowest first; the last is that of all searches."""
        brand = None if self.brand is None else "brand" if self.brand else "nonbrand"
        device = None if self.device in {None, "all"} else f"device:{self.device}"
        feature = None if self.feature is None else f"feature:{self.feature}"
        both = f"{brand}/{device}" if brand and device else None
        return (*(key for key in (feature, both, brand, device) if key is not None), EVERYTHING)


EVERYTHING = "all"
"""Name of the curve over all searches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """Click-through by rank, never rising.

    Attributes:
        click_through: Of ranks 1 to ``WORST_RANK``.
        impressions: Seen at each of them; zeros for the prior.
        strength: Impressions the prior counts for at each rank.
    """

    click_through: Sequence[float] = gain.CLICK_THROUGH
    impressions: Sequence[float] = (0.0,) * WORST_RANK
    strength: float = PRIOR_STRENGTH

    def at(self, rank: float) -> float:
        """Return the click-through at a rank, between two ranks in a straight line; 0 beyond ``WORST_RANK``."""
        below = math.floor(max(rank, 1.0))
        share = max(rank, 1.0) - below
        near = gain.click_through(below, self.click_through)
        return near if share == 0 else near + share * (gain.click_through(below + 1, self.click_through) - near)

    def variance(self, rank: float) -> float:
        """Return the variance of the click-through at the nearest rank; 0 where it is 0 for sure."""
        nearest = math.floor(max(rank, 1.0) + 0.5)
        if nearest > WORST_RANK:
            return 0.0
        mean = self.click_through[nearest - 1]
        return mean * (1 - mean) / (self.impressions[nearest - 1] + self.strength + 1)


PRIOR_CURVE = Curve()


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What acting is expected to bring, in visits a month.

    Attributes:
        target: Rank aimed at; None where the change is not one of a single rank.
        change: Visits a month more if it succeeds.
        reach: Probability that it does, 0..1.
        gain: ``change x reach``: the scale on which everything is ranked.
        low: Lower end of its 90 % interval.
        high: Upper end; never above what certain success would bring by the upper end of the change.
    """

    target: int | None
    change: float
    reach: float
    gain: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class GainModel:
    """What a tenant can expect from ranks.

    Attributes:
        version: Names what it was computed from: ``prior``, ``curve-3``, ``curve-3.reach-1``.
        curves: By name (``Segment.keys``); the prior answers for what is missing.
        coefficients: Of the chance to reach a rank.
        covariance: Of those coefficients.
        value_per_visit_minor: What a visit is worth in minor units of ``currency``; None where nobody said.
        currency: ISO 4217.
        brand_terms: Words by which a search is known to name the tenant.
    """

    version: str = PRIOR_VERSION
    curves: Mapping[str, Curve] = field(default_factory=dict)
    coefficients: ReachCoefficients = REACH_PRIOR
    covariance: Covariance = REACH_PRIOR_COVARIANCE
    value_per_visit_minor: int | None = None
    currency: str | None = None
    brand_terms: tuple[str, ...] = ()

    def curve(self, segment: Segment | None = None) -> Curve:
        """Return the narrowest curve there is for a segment."""
        for key in (segment or Segment()).keys:
            if key in self.curves:
                return self.curves[key]
        return PRIOR_CURVE

    def segment_of(self, keyword: str) -> Segment:
        """Return whether a search names the brand, as a segment; open where no brand terms are known."""
        return Segment(brand=holds_term(keyword, self.brand_terms) if self.brand_terms else None)

    def click_through(self, rank: float, segment: Segment | None = None) -> float:
        """Return the share of searches that click the result at ``rank``; fractions lie in between."""
        return self.curve(segment).at(rank)

    def reach(self, current: float | None, target: float, difficulty: float | None) -> float:
        """Return the probability to get from ``current`` (None: not ranked) to ``target``; see ``gain.reach``.

        A target that is not better than ``current`` counts as holding on to ``current``.
        """
        start = UNRANKED if current is None else current
        return gain.reach(max(start, target), target, difficulty, self.coefficients)

    def expect(
        self, *, current: int | None, demand: float, difficulty: float | None, segment: Segment | None = None
    ) -> Expected | None:
        """Return the best target for a page, or None where no better rank is worth anything.

        Args:
            current: Rank now; None where the page does not rank.
            demand: Searches a month, or impressions seen a month.
            difficulty: 0..100, or None if unknown.
            segment: Whose curve to use.
        """
        start = UNRANKED if current is None else current
        curve = self.curve(segment)
        best = gain.expect(
            current=start,
            demand=demand,
            difficulty=difficulty,
            curve=curve.click_through,
            coefficients=self.coefficients,
        )
        if best is None:
            return None
        return self.moved(demand=demand, current=start, target=best.target, difficulty=difficulty, segment=segment)

    def moved(
        self,
        *,
        demand: float,
        current: float | None,
        target: float,
        difficulty: float | None,
        segment: Segment | None = None,
    ) -> Expected:
        """Return what moving from one rank to a given better one is expected to bring.

        Args:
            demand: Searches a month, or impressions seen a month.
            current: Rank now; None where the page does not rank.
            target: Rank aimed at.
            difficulty: 0..100, or None if unknown.
            segment: Whose curve to use.
        """
        start = UNRANKED if current is None else current
        curve = self.curve(segment)
        change = demand * (curve.at(target) - curve.at(start))
        variance = demand**2 * (curve.variance(target) + curve.variance(start))
        whole = int(target) if float(target).is_integer() else None
        return self.weighed(
            change, spread=math.sqrt(variance), current=start, target=target, difficulty=difficulty, aim=whole
        )

    def weighed(
        self,
        change: float,
        *,
        current: float | None,
        target: float,
        difficulty: float | None,
        spread: float = 0.0,
        aim: int | None = None,
    ) -> Expected:
        """Return a change in visits weighed with the chance of the move that brings it.

        Args:
            change: Visits a month more if it succeeds; a negative one expects nothing.
            current: Rank now; None where the page does not rank.
            target: Rank that success means.
            difficulty: 0..100, or None if unknown.
            spread: Standard deviation of ``change``.
            aim: Rank to name as the target.
        """
        change = max(0.0, change)
        start = max(UNRANKED if current is None else current, target)
        chance = self.reach(start, target, difficulty)
        expected = change * chance
        if expected <= 0:
            return Expected(target=aim, change=change, reach=chance, gain=0.0, low=0.0, high=max(0.0, spread) * chance)
        relative = min(spread / change, WIDEST)
        logit = (1 - chance) * self._logit_spread(start, target, difficulty)
        width = min(INTERVAL_Z * math.sqrt(relative**2 + logit**2), WIDEST)
        ceiling = max(expected, change + INTERVAL_Z * spread)
        return Expected(
            target=aim,
            change=change,
            reach=chance,
            gain=expected,
            low=expected * math.exp(-width),
            high=min(expected * math.exp(width), ceiling),
        )

    def value_minor(self, visits: float) -> int | None:
        """Return what so many visits are worth in minor units of ``currency``, halves to even; None if nobody said."""
        return None if self.value_per_visit_minor is None else round(visits * self.value_per_visit_minor)

    def _logit_spread(self, current: float, target: float, difficulty: float | None) -> float:
        terms = (1.0, -float(gain.difficulty_point(difficulty)), -math.log(current / target))
        variance = sum(
            terms[row] * self.covariance[row][column] * terms[column] for row in range(3) for column in range(3)
        )
        return math.sqrt(max(0.0, variance))


PRIOR_MODEL = GainModel()


def together(parts: Iterable[Expected]) -> Expected | None:
    """Return several expectations of one action as one; None of none.

    Gains and changes add up. So do the ends of the intervals: what one action brings for several searches succeeds or
    fails together, so nothing averages out. ``reach`` is the share of the change that is expected.
    """
    found = list(parts)
    if not found:
        return None
    change, expected = math.fsum(each.change for each in found), math.fsum(each.gain for each in found)
    targets = {each.target for each in found}
    return Expected(
        target=targets.pop() if len(targets) == 1 else None,
        change=change,
        reach=expected / change if change > 0 else math.fsum(each.reach for each in found) / len(found),
        gain=expected,
        low=math.fsum(each.low for each in found),
        high=math.fsum(each.high for each in found),
    )


__all__ = [
    "BEST_CANDIDATES",
    "EVERYTHING",
    "PRIOR_CURVE",
    "PRIOR_MODEL",
    "PRIOR_VERSION",
    "UNRANKED",
    "Covariance",
    "Curve",
    "Expected",
    "GainModel",
    "Segment",
    "together",
]
