"""Fitting click-through by rank to what was seen, without believing more than was seen.

For each segment of searches, from clicks and impressions by rank:

1. **Shrinkage.** ``ctr(k) = (clicks_k + m c0(k)) / (impressions_k + m)``: the mean of a beta-binomial model whose prior
   has mean ``c0(k)`` and counts for ``m`` impressions at each rank. ``c0`` is the curve of all searches of the tenant
   for a segment, and the published prior (``common.aso.gain``) for all searches: segment -> tenant -> prior.
2. **Strength.** ``m`` is the one under which the clicks of all ranks are most likely (empirical Bayes by the marginal
   likelihood), within ``STRENGTHS``: where the ranks scatter widely around ``c0`` it is small, and the data rule.
3. **Monotony.** Neighbouring ranks that would rise are pooled (pool adjacent violators, weighted by
   ``impressions_k + m``), so that a worse rank never has the higher click-through.

A mean position between two ranks counts for both, in a straight line: 12.4 gives 0.6 of its impressions and clicks to
rank 12 and 0.4 to rank 13. Nothing is lost by that, and a position that wanders between two ranks has no better home.
The part beyond ``WORST_RANK`` is left out.

A segment is fitted only with at least ``LEAST_IMPRESSIONS`` impressions, ``LEAST_CLICKS`` clicks and ``LEAST_RANKS``
ranks of ``LEAST_AT_A_RANK`` impressions; otherwise it keeps the curve above it and says why. Many impressions without
a single click are taken for clicks that were never recorded, not for a click-through of zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from common.aso import gain
from common.aso.gain import WORST_RANK
from common.aso.gain_model.model import EVERYTHING, PRIOR_STRENGTH, PRIOR_VERSION, Curve

LEAST_IMPRESSIONS = 1000
LEAST_CLICKS = 20
LEAST_RANKS = 2
LEAST_AT_A_RANK = 100

WEAKEST, STRONGEST, STEPS = 10.0, 10_000.0, 61
STRENGTHS: tuple[float, ...] = tuple(WEAKEST * (STRONGEST / WEAKEST) ** (step / (STEPS - 1)) for step in range(STEPS))
"""Strengths tried, evenly on the logarithm: below ten impressions noise would be believed, above ten thousand a
thousand clicks could not change anything."""

Reason = Literal["too_few_impressions", "too_few_clicks", "too_few_ranks"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """Clicks and impressions at a mean position.

    Attributes:
        position: 1 or more; fractions count for both neighbouring ranks.
        impressions: More than 0.
        clicks: 0 to ``impressions``.
    """

    position: float
    impressions: float
    clicks: float

    @property
    def usable(self) -> bool:
        """Whether the figures can be true; what cannot is left out and counted."""
        finite = all(map(math.isfinite, (self.position, self.impressions, self.clicks)))
        return finite and self.position >= 1 and self.impressions > 0 and 0 <= self.clicks <= self.impressions


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Impressions and clicks at ranks 1 to ``WORST_RANK``."""

    impressions: Sequence[float]
    clicks: Sequence[float]

    def why_too_little(self) -> Reason | None:
        """Return what is missing for a fit of its own, or None."""
        if math.fsum(self.impressions) < LEAST_IMPRESSIONS:
            return "too_few_impressions"
        if math.fsum(self.clicks) < LEAST_CLICKS:
            return "too_few_clicks"
        seen = sum(each >= LEAST_AT_A_RANK for each in self.impressions)
        return "too_few_ranks" if seen < LEAST_RANKS else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """The curve of a segment.

    Attributes:
        counts: What was seen.
        parent: Whose curve it was shrunk towards, or keeps: a segment's key or ``prior``.
        reason: Why it keeps that; None for a curve of its own.
        curve: Click-through with the evidence behind it.
    """

    counts: Counts
    parent: str
    reason: Reason | None
    curve: Curve


def counted(sightings: Iterable[Sighting]) -> Counts:
    """Return impressions and clicks by rank; the order of the sightings makes no difference."""
    impressions: list[list[float]] = [[] for _ in range(WORST_RANK)]
    clicks: list[list[float]] = [[] for _ in range(WORST_RANK)]
    for each in sightings:
        if not each.usable or each.position >= WORST_RANK + 1:
            continue
        near = math.floor(each.position)
        beyond = each.position - near
        for rank, share in ((near, 1 - beyond), (near + 1, beyond)):
            if share > 0 and rank <= WORST_RANK:
                impressions[rank - 1].append(each.impressions * share)
                clicks[rank - 1].append(each.clicks * share)
    # An exactly rounded sum is the same in any order.
    return Counts(impressions=tuple(map(math.fsum, impressions)), clicks=tuple(map(math.fsum, clicks)))


def added(parts: Iterable[Counts]) -> Counts:
    """Return several counts as one, the same in any order."""
    found = list(parts)
    zeros = [0.0] * WORST_RANK
    return Counts(
        impressions=tuple(map(math.fsum, zip(zeros, *(each.impressions for each in found), strict=True))),
        clicks=tuple(map(math.fsum, zip(zeros, *(each.clicks for each in found), strict=True))),
    )


def smoothed(counts: Counts, prior: Sequence[float], strength: float) -> list[float]:
    """Return the posterior mean of each rank; each lies between the prior's and what was seen.

    Written as the prior's mean and a step towards what was seen, so that nothing seen is exactly the prior.
    """
    return [
        max(0.0, mean + (clicks - impressions * mean) / (impressions + strength))
        for clicks, impressions, mean in zip(counts.clicks, counts.impressions, prior, strict=True)
    ]


def falling(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the values nearest to ``values`` (weighted least squares) that never rise: pool adjacent violators.

    Args:
        values: In order.
        weights: Positive, one for each.
    """
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        mean, mass, size = value, weight, 1
        while pools and pools[-1][0] < mean:
            before, heavier, longer = pools.pop()
            both = heavier + mass
            # A mean of two, however rounded, must not leave their range.
            mean = min(max((before * heavier + mean * mass) / both, before), mean)
            mass, size = both, size + longer
        pools.append((mean, mass, size))
    return [mean for mean, _, size in pools for _ in range(size)]


def log_likelihood(counts: Counts, prior: Sequence[float], strength: float) -> float:
    """Return the logarithm of the marginal likelihood of the clicks, up to what does not depend on ``strength``."""
    found: list[float] = []
    for clicks, impressions, mean in zip(counts.clicks, counts.impressions, prior, strict=True):
        if impressions > 0:
            won, lost = strength * mean, strength * (1 - mean)
            found += (
                math.lgamma(clicks + won) - math.lgamma(won),
                math.lgamma(impressions - clicks + lost) - math.lgamma(lost),
                math.lgamma(strength) - math.lgamma(impressions + strength),
            )
    return math.fsum(found)


def best_strength(counts: Counts, prior: Sequence[float]) -> float:
    """Return the strength of ``STRENGTHS`` that makes the clicks most likely; of equals the strongest."""
    _, best = max((log_likelihood(counts, prior, strength), strength) for strength in STRENGTHS)
    return best


def fit(counts: Counts, parent: Curve, name: str) -> Fitted:
    """Fit one segment.

    Args:
        counts: What was seen of it.
        parent: Curve it is shrunk towards.
        name: Whose that is.
    """
    reason = counts.why_too_little()
    if reason is not None:
        return Fitted(counts=counts, parent=name, reason=reason, curve=parent)
    strength = best_strength(counts, parent.click_through)
    weights = [impressions + strength for impressions in counts.impressions]
    values = falling(smoothed(counts, parent.click_through, strength), weights)
    curve = Curve(click_through=tuple(values), impressions=counts.impressions, strength=strength)
    return Fitted(counts=counts, parent=name, reason=None, curve=curve)


def fit_all(segments: Mapping[str, Counts]) -> dict[str, Fitted]:
    """Fit all searches, then every segment towards them.

    Args:
        segments: By key (``model.Segment.keys``); that of all searches is there.
    """
    prior = Curve(click_through=gain.CLICK_THROUGH, strength=PRIOR_STRENGTH)
    whole = fit(segments[EVERYTHING], prior, PRIOR_VERSION)
    found = {EVERYTHING: whole}
    name = EVERYTHING if whole.reason is None else PRIOR_VERSION
    for key in sorted(segments.keys() - {EVERYTHING}):
        found[key] = fit(segments[key], whole.curve, name)
    return found
