"""The Keyword Golden Ratio of document 000, kept within the bounds in which it means something."""

from __future__ import annotations

from common.aso.models import KgrClass

EXCELLENT_BELOW = 0.25
GOOD_BELOW = 1.0
VALID_VOLUME = 250
"""The ratio was proposed for keywords of at most 250 searches a month; above that its classes mislead."""


def kgr_score(allintitle_results: int | None, search_volume: int | None) -> float | None:
    """Return allintitle results / monthly searches; None where either is unknown or nobody searches."""
    if allintitle_results is None or not search_volume:
        return None
    return allintitle_results / search_volume


def kgr_class(allintitle_results: int | None, search_volume: int | None) -> KgrClass | None:
    """Return the class of document 000 (below 0.25 excellent, below 1 good, else competitive).

    None where there is no score, or the volume is above ``VALID_VOLUME``.
    """
    score = kgr_score(allintitle_results, search_volume)
    if score is None or search_volume is None or search_volume > VALID_VOLUME:
        return None
    if score < EXCELLENT_BELOW:
        return "excellent"
    return "good" if score < GOOD_BELOW else "competitive"
