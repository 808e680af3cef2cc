"""Whether the whole site is clicked more or less at a rank than it was: the curve part of a change in visits.

Search engines change result pages: an answer box on top of them, and every page below loses clicks at the rank it had.
The tenant's model of click-through is fitted over months and does not show that. So the clicks of the whole site in
both windows are compared with those the model expects at the same ranks, by bands of ranks, *without the page in
question*: what happened to that page alone is its own and belongs to the residual.

A band's factor is the posterior mean of a Poisson rate with a gamma prior of mean 1:
``(clicks + k) / (expected clicks + k)``, with ``k = PRIOR_CLICKS``; with little data it is 1. The shift of a band is
the factor of the later window over that of the earlier one. The curves of the two windows are the model divided and
multiplied by its square root, so that exchanging the windows inverts the shift and changes nothing else.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from common.aso.detectors.decomposition import Curve

PRIOR_CLICKS = 50.0
"""Clicks that the prior counts for in each window and band."""
BAND_STARTS = (1.5, 2.5, 3.5, 5.5, 10.5, 20.5)
"""Ranks at which the next band begins: 1, 2, 3, 4 to 5, 6 to 10, 11 to 20, beyond."""
BANDS = len(BAND_STARTS) + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """Clicks of a band of ranks in both windows, and those the model expects of the impressions there."""

    clicks_before: float = 0.0
    expected_before: float = 0.0
    clicks_after: float = 0.0
    expected_after: float = 0.0

    def __sub__(self, other: Band) -> Band:
        """Return what is left of the band without another one's, never below 0."""
        return Band(
            clicks_before=max(0.0, self.clicks_before - other.clicks_before),
            expected_before=max(0.0, self.expected_before - other.expected_before),
            clicks_after=max(0.0, self.clicks_after - other.clicks_after),
            expected_after=max(0.0, self.expected_after - other.expected_after),
        )

    @property
    def shift(self) -> float:
        """Factor by which clicks at the same rank changed between the windows; 1 without data."""
        before = (self.clicks_before + PRIOR_CLICKS) / (self.expected_before + PRIOR_CLICKS)
        after = (self.clicks_after + PRIOR_CLICKS) / (self.expected_after + PRIOR_CLICKS)
        return after / before


def band_of(position: float) -> int:
    """Return the number of the band of a rank, 0 for the best."""
    return bisect_right(BAND_STARTS, position)


def curves(model: Curve, site: Sequence[Band], own: Sequence[Band]) -> tuple[Curve, Curve]:
    """Return the curves of the earlier and the later window.

    Args:
        model: The tenant's model of click-through.
        site: The bands of the whole site.
        own: Those of the page in question, which are left out.
    """
    roots = [math.sqrt((whole - part).shift) for whole, part in zip(site, own, strict=True)]

    def before(query: str | None, position: float) -> float:
        return model(query, position) / roots[band_of(position)]

    def after(query: str | None, position: float) -> float:
        return model(query, position) * roots[band_of(position)]

    return before, after
