"""One scale for every opportunity: expected extra visits a month, and money where a visit has a value.

``expected gain = change in visits a month if acted on x probability to get there``

The demand is always searches a month (or impressions seen a month, labelled), the click-through the tenant's own curve,
the probability its own chance to reach a rank; each is the prior until it was fitted. So a rewritten page, a new page,
a merge and a few links compare by one number, and ``expected_value_minor`` is that number times the value of a visit.

======================  =============================================================  ==============================
type                    change in visits a month                                       probability
======================  =============================================================  ==============================
``low_hanging_fruit``   V (ctr(target) - ctr(now)), best target on the first page      reach(now, target)
``rank_improvement``    the same                                                       reach(now, target)
``content_gap``         V ctr(target): nothing is lost, the page does not rank         reach(just unranked, target)
``content_decay``       visits lost against the earlier window, no more than            reach(now, rank it had)
                        what rank and click-through explain
``cannibalization``     V (ctr(rank of the merged page) - sum of s_i ctr(k_i)),        reach(best rank now, rank of the
                        s_i the share of impressions page i at rank k_i gets           merged page)
``link_gap``            V (ctr(one rank better) - ctr(now)), summed over the page's    reach(now, one rank better)
                        searches
======================  =============================================================  ==============================
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from common.aso.gain_model.model import Expected, GainModel, Segment, together


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """One search that a page is found by.

    Attributes:
        rank: Where the page stands, 1 or more, fractions allowed.
        demand: Searches a month.
        difficulty: 0..100, or None if unknown.
        segment: Whose curve to use.
    """

    rank: float
    demand: float
    difficulty: float | None = None
    segment: Segment | None = None


def improvement(
    model: GainModel, *, current: int, demand: float, difficulty: float | None, segment: Segment | None = None
) -> Expected | None:
    """Return what moving an existing page up is expected to bring; None where no better rank is worth anything."""
    return model.expect(current=current, demand=demand, difficulty=difficulty, segment=segment)


def content_gap(
    model: GainModel, *, demand: float, difficulty: float | None, segment: Segment | None = None
) -> Expected | None:
    """Return what a page for a search nobody finds the tenant by is expected to bring."""
    return model.expect(current=None, demand=demand, difficulty=difficulty, segment=segment)


def recovery(
    model: GainModel, *, lost: float, current: float | None, earlier: float, difficulty: float | None = None
) -> Expected:
    """Return what bringing a decayed page back is expected to bring.

    Args:
        model: The tenant's.
        lost: Visits a month that rank and click-through explain; what demand took away nobody can bring back.
        current: Mean rank now; None where the page is no longer found.
        earlier: Mean rank before.
        difficulty: Of its main search.

    The visits before and after are counts: their difference varies about as a Poisson number of its size does.
    """
    return model.weighed(lost, spread=math.sqrt(max(0.0, lost)), current=current, target=earlier, difficulty=difficulty)


def merging(
    model: GainModel,
    *,
    demand: float,
    pages: Sequence[tuple[float, float]],
    merged: float,
    difficulty: float | None = None,
    segment: Segment | None = None,
) -> Expected:
    """Return what merging pages that share a search is expected to bring.

    Args:
        model: The tenant's.
        demand: Searches a month.
        pages: Rank and share of the impressions of each; the shares sum to one at most.
        merged: Rank expected of the merged page.
        difficulty: 0..100, or None if unknown.
        segment: Whose curve to use.
    """
    curve = model.curve(segment)
    now = math.fsum(share * curve.at(rank) for rank, share in pages)
    variance = curve.variance(merged) + math.fsum(share**2 * curve.variance(rank) for rank, share in pages)
    return model.weighed(
        demand * (curve.at(merged) - now),
        spread=demand * math.sqrt(variance),
        current=min((rank for rank, _ in pages), default=None),
        target=merged,
        difficulty=difficulty,
    )


def linking(model: GainModel, searches: Iterable[Search]) -> Expected | None:
    """Return what linking to a page from its hub is expected to bring: one rank for each of its searches."""
    return together(
        model.moved(
            demand=each.demand,
            current=each.rank,
            target=max(1.0, each.rank - 1),
            difficulty=each.difficulty,
            segment=each.segment,
        )
        for each in searches
    )


def landed(model: GainModel, expected: Expected) -> dict[str, Any]:
    """Return the fields of an opportunity that put it on the scale; pass them to its constructor."""
    return {
        "reachable_ranking": expected.target,
        "expected_gain": round(expected.gain, 2),
        "gain_low": round(expected.low, 2),
        "gain_high": round(expected.high, 2),
        "gain_reach_probability": round(expected.reach, 4),
        "expected_value_minor": model.value_minor(expected.gain),
        "currency": model.currency if model.value_per_visit_minor is not None else None,
        "gain_model": model.version,
    }
