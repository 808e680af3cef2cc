"""Which rows of search performance to compare over time: one cut for all of it.

``common.aso.performance.coverage`` answers a range from whatever covers each day best. That is right for sums and wrong
for comparisons: a source leaves rare searches out of a cut by query and page and not of one by page, so a change of the
cut in the middle would show as a fall of visits. Detectors therefore read all windows from *one* cut: the one that
covers most days of the window it covers least, then most days in all, then the one with fewer splits; and of one
property, for a part of a site is another thing than all of it. Days that only another cut covers are missing, and
counted as missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from common.aso.performance.coverage import Portion, choose
from common.aso.performance.models import SplitBy
from common.warehouse.query import Typed

Window = tuple[date, date]
"""First and last day."""
SEARCH_TYPE = "web"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """What windows are read from.

    Attributes:
        dimensions: The cut; empty where none covers anything.
        portions: Of each window, in order of days.
    """

    dimensions: str
    portions: tuple[tuple[Portion, ...], ...]

    @property
    def days(self) -> tuple[int, ...]:
        """Days with data of each window."""
        return tuple(sum(portion.days for portion in window) for window in self.portions)

    @property
    def newest(self) -> date | None:
        """Last day with data; None where there is none."""
        return max((portion.last for window in self.portions for portion in window), default=None)

    @property
    def dates(self) -> frozenset[date]:
        """Every day with data."""
        return frozenset(
            portion.first + timedelta(days=number)
            for window in self.portions
            for portion in window
            for number in range(portion.days)
        )


def uniform(
    portions: Iterable[Portion], needed: Collection[SplitBy], windows: Sequence[Window], *, daily: bool = False
) -> Cut:
    """Return the one cut to read windows from.

    Args:
        portions: All there are of the days in question.
        needed: By what the rows must be split, at least.
        windows: Which days are compared; none is in two of them.
        daily: Only rows about single days, where the day itself matters.
    """
    found = list(portions)
    best = Cut(dimensions="", portions=((),) * len(windows))
    kinds = {(each.dimensions, each.site) for each in found}
    for dimensions, site in sorted(kinds, key=lambda kind: (kind[0].count("+"), kind[0], kind[1] or "")):
        inside = [
            [
                each
                for each in found
                if (each.dimensions, each.site) == (dimensions, site) and first <= each.first and each.last <= last
            ]
            for first, last in windows
        ]
        cut = Cut(dimensions=dimensions, portions=tuple(tuple(choose(each, needed, daily=daily)) for each in inside))
        if (min(cut.days), sum(cut.days)) > (min(best.days), sum(best.days)):
            best = cut
    return best


def chosen(windows: Sequence[Window], *cuts: Cut) -> dict[str, object]:
    """Return the parameters of ``coverage.CHOSEN`` for the rows of some cuts of the same windows."""
    keys = {portion.key for cut in cuts for window in cut.portions for portion in window}
    return {
        "first": min(first for first, _ in windows),
        "last": max(last for _, last in windows),
        "search_type": SEARCH_TYPE,
        "portions": Typed("STRING", sorted(keys)),
    }
