"""Why visits changed between two windows: missing data, demand, rank, curve and residual, which sum exactly.

The visits of one query to one page are a product::

    visits = days x demand x ctr(rank) x share

``days`` are those the site's data covers, ``demand`` the impressions a day, ``ctr`` the click-through expected at the
rank on the window's curve, and ``share`` what is left: how much of that the page really takes (its title, its snippet,
what else the result page shows). So the logarithm of the change is a sum without a cross term, and weighting it with
the logarithmic mean ``L(a, b) = (a - b) / ln(a / b)`` turns it into visits that sum to the change in visits (the LMDI
method of Ang, 2004). The parts:

* ``missing_data``: more or fewer days of the window were observed; says nothing about the page;
* ``demand``: more or fewer impressions an observed day;
* ``rank``: the same curve read at another rank. With two curves the mean of both readings, so that exchanging the
  windows changes signs and nothing else;
* ``curve``: the same rank read on another curve: all pages there are clicked more or less than they were;
* ``residual``: the change of the share, with everything nobody measured.

**Zeros** have no logarithm, and the limits of the method decide: a query without impressions in one window is all
demand; one with impressions and without a click there is all residual; a window without a day of data is all missing
data. Residuals of queries with a handful of clicks are noise, so ``pooled`` puts queries below ``POOLED_BELOW`` clicks
in both windows together into one, the other queries: their impressions and clicks add up, their rank is the mean
weighted by impressions, and a shift among them shows as rank.

**Exactness.** In exact arithmetic the parts sum to the change; here to within a few units in the last place. Sums run
through ``math.fsum``, which rounds once, so the order of the queries cannot matter. ``rounded`` keeps the sum exact in
the hundredths an answer shows, for which the residual takes the rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal

POOLED_BELOW = 5
"""Clicks; a query with fewer in both windows is pooled."""
LEAST_CLICK_THROUGH = 0.0005
"""What a rank is taken to bring at least: the curve ends at rank 30, and 0 has no logarithm."""

Curve = Callable[[str | None, float], float]
"""Click-through, 0..1, by query (None: several) and rank."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One query in one window.

    Attributes:
        clicks: Visits.
        impressions: How often it was shown.
        position: Mean rank weighted by impressions; meaningless without impressions.
    """

    clicks: float = 0.0
    impressions: float = 0.0
    position: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One query in both windows.

    Attributes:
        query: None for the other queries together.
        before: The earlier window.
        after: The later one.
    """

    query: str | None
    before: Side
    after: Side


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What made up a change, in visits or as logarithms.

    Attributes:
        missing_data: From the days observed.
        demand: From impressions a day.
        rank: From the rank.
        curve: From what a rank brings on the whole site.
        residual: From the page's own share of that, and the unexplained.
    """

    missing_data: float = 0.0
    demand: float = 0.0
    rank: float = 0.0
    curve: float = 0.0
    residual: float = 0.0

    @property
    def total(self) -> float:
        """The change."""
        return math.fsum(getattr(self, each.name) for each in fields(self))

    def times(self, weight: float) -> Parts:
        """Return every part times ``weight``."""
        return Parts(**{each.name: getattr(self, each.name) * weight for each in fields(self)})


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """Two windows of one site.

    Attributes:
        days_before: Days of the earlier window that the site's data covers.
        days_after: Of the later one.
        curve_before: What a rank brought in the earlier window.
        curve_after: In the later one.
    """

    days_before: int
    days_after: int
    curve_before: Curve
    curve_after: Curve


def decomposed(cells: Iterable[Cell], windows: Windows) -> Parts:
    """Return the change in visits, ``after - before`` summed over the cells, by what caused it."""
    return summed(cell_parts(cell, windows) for cell in cells)


def summed(parts: Iterable[Parts]) -> Parts:
    """Return the sums of parts, the same for every order."""
    every = list(parts)
    return Parts(**{each.name: math.fsum(getattr(part, each.name) for part in every) for each in fields(Parts)})


def cell_parts(cell: Cell, windows: Windows) -> Parts:
    """Return the change in visits of one query by what caused it."""
    before, after = cell.before, cell.after
    change = after.clicks - before.clicks
    if not windows.days_before or not windows.days_after:
        return Parts(missing_data=change)
    if before.clicks > 0 and after.clicks > 0 and before.impressions > 0 and after.impressions > 0:
        return log_parts(cell, windows).times(logarithmic_mean(after.clicks, before.clicks))
    appeared = not before.impressions and not before.clicks
    vanished = not after.impressions and not after.clicks
    return Parts(demand=change) if appeared or vanished else Parts(residual=change)


def log_parts(cell: Cell, windows: Windows) -> Parts:
    """Return ``ln(clicks after / clicks before)`` of a query with clicks and impressions in both windows, by cause."""
    before, after = cell.before, cell.after
    old_at_old, old_at_new, new_at_old, new_at_new = (
        math.log(max(curve(cell.query, side.position), LEAST_CLICK_THROUGH))
        for curve in (windows.curve_before, windows.curve_after)
        for side in (before, after)
    )
    days = math.log(windows.days_after / windows.days_before)
    return Parts(
        missing_data=days,
        demand=math.log(after.impressions / before.impressions) - days,
        rank=((old_at_new - old_at_old) + (new_at_new - new_at_old)) / 2,
        curve=((new_at_old - old_at_old) + (new_at_new - old_at_new)) / 2,
        residual=_share(after, new_at_new) - _share(before, old_at_old),
    )


def _share(side: Side, log_click_through: float) -> float:
    return math.log(side.clicks / side.impressions) - log_click_through


def logarithmic_mean(one: float, other: float) -> float:
    """Return ``(one - other) / ln(one / other)`` of two positive numbers; between their geometric and their mean."""
    # The same as sqrt(one x other) x sinh(d/2) / (d/2) with d = ln(one / other), which loses no digits for small d.
    half = math.log(one / other) / 2
    return math.sqrt(one * other) * (math.sinh(half) / half if half else 1.0)


def pooled(cells: Sequence[Cell], below: int = POOLED_BELOW) -> list[Cell]:
    """Return the cells with those of few clicks in both windows put together, as the query None."""
    few = [cell for cell in cells if cell.query is None or max(cell.before.clicks, cell.after.clicks) < below]
    kept = [cell for cell in cells if cell.query is not None and max(cell.before.clicks, cell.after.clicks) >= below]
    if not few:
        return kept
    rest = Cell(
        query=None, before=_together([each.before for each in few]), after=_together([each.after for each in few])
    )
    return [*kept, rest]


def _together(sides: Sequence[Side]) -> Side:
    impressions = math.fsum(side.impressions for side in sides)
    weighted = math.fsum(side.impressions * side.position for side in sides)
    return Side(
        clicks=math.fsum(side.clicks for side in sides),
        impressions=impressions,
        position=weighted / impressions if impressions else 0.0,
    )


def factors(parts: Parts, before: float, after: float) -> Parts | None:
    """Return by what each cause multiplied the visits, so that the product is ``after / before``.

    Args:
        parts: In visits; they sum to ``after - before``.
        before: Visits of the earlier window.
        after: Of the later one.

    Returns:
        None where either window had no visit.
    """
    if before <= 0 or after <= 0:
        return None
    weight = logarithmic_mean(after, before)
    return Parts(**{each.name: math.exp(getattr(parts, each.name) / weight) for each in fields(parts)})


def rounded(parts: Parts, change: int | Decimal) -> dict[str, Decimal]:
    """Return the parts in hundredths of a visit, whose sum is ``change``: the residual takes the rounding."""
    cent = Decimal("0.01")
    shown = {each.name: Decimal(getattr(parts, each.name)).quantize(cent) for each in fields(parts)}
    others = sum((value for name, value in shown.items() if name != "residual"), Decimal(0))
    return shown | {"residual": Decimal(change) - others}
