"""When pages of one site stand in each other's way, how badly, and what merging them is worth.

Two pages share a search as rivals where both are really shown for it, each with more than a tenth of the impressions,
*and* the search engine cannot decide: the leading page changes from day to day. Two pages of which one always leads are
no rivals but a second listing.

* **Severity**: the inverse Herfindahl index ``1 / sum(s_i^2)`` over the shares of impressions of all pages shown for
  the search: 1 where one page has them all, ``n`` where ``n`` pages share them equally.
* **Merge gain**: ``V (ctr(k* - d) - sum(s_i ctr(k_i)))`` visits, over the rivals: what one page would get, ranked ``d``
  better than the best of them (``MERGED_RANKS_BETTER``, a prior, chosen modest), less what they get apart. ``V`` is the
  number of searches and ``s_i`` the share of them in which page i is shown. A search that shows two of the pages is one
  search with two impressions; nobody reports how many those are, so ``V`` is counted as its floor: each day the
  impressions of the day's leading rival. Where the pages alternate by day that is the exact number, and the shares sum
  to one.
* **Interval**: the variance of the gain over days by the delete-one-day jackknife, which recomputes ranks and searches
  without each day in turn: no random numbers, the same for the same days. It is 0 wide on one day only, so fewer than
  ``OBSERVED_DAYS`` days give no verdict.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from common.aso.gain_model.model import INTERVAL_Z
from common.aso.opportunity_rules import MONTH_DAYS

SHARE_ABOVE = 0.1
"""Share of the impressions from which on a page is a rival."""
SWITCHES_ABOVE = 0.2
"""Share of the days, of those with a day before, on which another page leads than the day before."""
OBSERVED_DAYS = 10
"""Days with data that a verdict needs."""
IMPRESSIONS_ABOVE = 100
"""Impressions in the window that a verdict needs."""
WINDOW_DAYS = 28
MERGED_RANKS_BETTER = 1.0
"""Ranks by which the merged page is expected to stand above the best of the pages: one."""

ClickThrough = Callable[[float], float]
"""Click-through, 0..1, by rank."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PageDay:
    """One page for one search on one day.

    Attributes:
        day: The day.
        page: Compared form of the address.
        impressions: How often it was shown; above 0.
        clicks: Visits.
        position: Mean rank.
    """

    day: date
    page: str
    impressions: int
    clicks: int
    position: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Rival:
    """One of the pages.

    Attributes:
        page: Compared form of the address.
        share: Of the impressions of all pages shown for the search, 0..1.
        impressions: In the window.
        clicks: In the window.
        position: Mean rank weighted by impressions.
        days_leading: Days on which it was shown most.
    """

    page: str
    share: float
    impressions: int
    clicks: int
    position: float
    days_leading: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """A search that pages share as rivals.

    Attributes:
        rivals: The pages with more than a tenth of the impressions, the largest share first.
        severity: Inverse Herfindahl index of the shares of all pages.
        days: Days with data.
        switches: Days on which another page led than on the day with data before.
    """

    rivals: tuple[Rival, ...]
    severity: float
    days: int
    switches: int

    @property
    def switch_rate(self) -> float:
        """Share of the days with a day before on which the lead changed."""
        return self.switches / (self.days - 1) if self.days > 1 else 0.0

    @property
    def best_position(self) -> float:
        """Rank of the best placed rival."""
        return min(rival.position for rival in self.rivals)

    @property
    def merged_position(self) -> float:
        """Rank expected of the merged page."""
        return max(1.0, self.best_position - MERGED_RANKS_BETTER)


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeGain:
    """What merging the rivals is worth if it succeeds, in visits a month.

    Attributes:
        visits: The estimate; negative where two listings catch more than one would.
        low: Lower end of the 90 % interval.
        high: Upper end.
        deviation: Standard deviation by the jackknife.
        searches: Searches a month, a floor.
    """

    visits: float
    low: float
    high: float
    deviation: float
    searches: float


def conflict_of(days: Sequence[PageDay]) -> Conflict | None:
    """Return the conflict that the days of one search show, or None where they show none.

    Args:
        days: Every page shown for the search, by day; a page at most once a day.
    """
    found = shared(days)
    flagged = (
        len(found.rivals) >= 2
        and found.days >= OBSERVED_DAYS
        and found.switch_rate > SWITCHES_ABOVE
        and sum(each.impressions for each in days) > IMPRESSIONS_ABOVE
    )
    return found if flagged else None


def shared(days: Sequence[PageDay]) -> Conflict:
    """Return how pages share a search, whether they are rivals or not."""
    leaders = _leaders(days)
    total = sum(each.impressions for each in days)
    pages = [_rival(page, days, total, leaders) for page in {each.page for each in days}]
    rivals = sorted((page for page in pages if page.share > SHARE_ABOVE), key=lambda page: (-page.share, page.page))
    order = [leaders[day] for day in sorted(leaders)]
    return Conflict(
        rivals=tuple(rivals),
        severity=inverse_herfindahl([page.impressions for page in pages]),
        days=len(order),
        switches=sum(one != other for one, other in itertools.pairwise(order)),
    )


def inverse_herfindahl(sizes: Sequence[float]) -> float:
    """Return ``1 / sum(share^2)``: from 1 (one has everything) to the number of sizes (equal shares); 0 of nothing."""
    total = math.fsum(sizes)
    return total**2 / math.fsum(size**2 for size in sizes) if total > 0 else 0.0


def merge_gain(
    days: Sequence[PageDay], rivals: Sequence[str], click_through: ClickThrough, observed_days: int
) -> MergeGain:
    """Return what merging pages is worth, with its interval.

    Args:
        days: Every page shown for the search, by day.
        rivals: The pages to merge.
        click_through: By rank.
        observed_days: Days of the window with data of the site, on which the search may not have shown any page.
    """
    by_day: dict[date, list[PageDay]] = {}
    for each in days:
        if each.page in rivals:
            by_day.setdefault(each.day, []).append(each)
    observed: list[list[PageDay]] = [*by_day.values(), *([] for _ in range(observed_days - len(by_day)))]
    visits, searches = _gain(observed, click_through)
    without = [_gain(observed[:skip] + observed[skip + 1 :], click_through)[0] for skip in range(len(observed))]
    deviation = _jackknife_deviation(without)
    return MergeGain(
        visits=visits,
        low=visits - INTERVAL_Z * deviation,
        high=visits + INTERVAL_Z * deviation,
        deviation=deviation,
        searches=searches,
    )


def _gain(days: Sequence[Sequence[PageDay]], click_through: ClickThrough) -> tuple[float, float]:
    """Return the gain and the searches of some days, brought to a month."""
    pages: dict[str, tuple[float, float]] = {}
    for each in (page for day in days for page in day):
        seen, weighted = pages.get(each.page, (0.0, 0.0))
        pages[each.page] = (seen + each.impressions, weighted + each.impressions * each.position)
    if not pages:
        return 0.0, 0.0
    searches = sum(max((page.impressions for page in day), default=0) for day in days)
    best = min(weighted / seen for seen, weighted in pages.values())
    apart = math.fsum(seen * click_through(weighted / seen) for seen, weighted in pages.values())
    month = MONTH_DAYS / len(days)
    return (searches * click_through(max(1.0, best - MERGED_RANKS_BETTER)) - apart) * month, searches * month


def _jackknife_deviation(without: Sequence[float]) -> float:
    number = len(without)
    if number < 2:
        return 0.0
    mean = math.fsum(without) / number
    return math.sqrt((number - 1) / number * math.fsum((value - mean) ** 2 for value in without))


def _leaders(days: Sequence[PageDay]) -> dict[date, str]:
    """Return the page of each day that was shown most; of equals the one clicked more, then the first by its key."""
    leading: dict[date, PageDay] = {}
    for each in days:
        known = leading.get(each.day)
        if known is None or (-each.impressions, -each.clicks, each.page) < (
            -known.impressions,
            -known.clicks,
            known.page,
        ):
            leading[each.day] = each
    return {day: each.page for day, each in leading.items()}


def _rival(page: str, days: Sequence[PageDay], total: int, leaders: dict[date, str]) -> Rival:
    own = [each for each in days if each.page == page]
    impressions = sum(each.impressions for each in own)
    return Rival(
        page=page,
        share=impressions / total,
        impressions=impressions,
        clicks=sum(each.clicks for each in own),
        position=math.fsum(each.impressions * each.position for each in own) / impressions,
        days_leading=sum(leader == page for leader in leaders.values()),
    )
