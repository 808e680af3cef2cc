"""Which pages decay, asked of the warehouse as one set: weekly visits, trend test and slope of every page at once.

The rules are those of ``common.aso.detectors.trend``; a test holds the two against each other on random series. What
the query adds is which figures are compared:

* **One cut** of one property for all weeks (``cuts``); of it the rows about single days.
* **Weeks** are counted back from the newest day there is data for, so the newest week is whole. A week counts as
  observed with data of the site on at least ``WEEK_DAYS`` of its days, and its visits are brought to seven days. In an
  observed week a page without rows had no visits; before its first row it did not exist; other weeks are missing.
* **Windows** for what was lost: the first and the last four of the weeks between the first observed one (at most
  ``TREND_WEEKS`` back) and the newest. Pages with fewer than ``VISITS_NEEDED`` visits in the first are not judged.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from common.aso.detectors import trend
from common.aso.detectors.cuts import SEARCH_TYPE, Window, chosen, uniform
from common.aso.performance.coverage import CHOSEN, told
from common.context import Context
from common.warehouse.query import Typed, rows

TREND_WEEKS = 16
WINDOW_WEEKS = 4
WEEK_DAYS = 5
VISITS_NEEDED = 20
OLDEST_NEWEST_DAYS = 30
"""Where the newest day with data is older, nothing is said about today."""
PATIENCE = 120.0
Z_OF_SIGNIFICANCE = 1.959963984540054
"""A two-sided p of 0.05, as the query compares it."""

SQL = """\
WITH facts AS (
  SELECT page_key, page, clicks, DIV(DATE_DIFF(@newest, date, DAY), 7) AS week
  FROM {search_performance_latest}
  WHERE <chosen> AND page_key IS NOT NULL
),
weeks AS (
  SELECT weeks_back AS week, days
  FROM UNNEST(@days_of_weeks) AS days WITH OFFSET AS weeks_back
  WHERE days >= @week_days
),
span AS (
  SELECT MAX(week) AS oldest FROM weeks
),
weekly AS (
  SELECT facts.page_key, facts.week, SUM(facts.clicks) AS clicks
  FROM facts
  JOIN weeks ON weeks.week = facts.week
  GROUP BY facts.page_key, facts.week
),
judged AS (
  SELECT
    weekly.page_key,
    MAX(weekly.week) AS first_week,
    SUM(IF(weekly.week > span.oldest - @window_weeks, weekly.clicks, 0)) AS visits_before,
    SUM(IF(weekly.week < @window_weeks, weekly.clicks, 0)) AS visits_after
  FROM weekly
  CROSS JOIN span
  GROUP BY weekly.page_key
  HAVING SUM(IF(weekly.week > span.oldest - @window_weeks, weekly.clicks, 0)) >= @visits_needed
),
series AS (
  SELECT judged.page_key, weeks.week, COALESCE(weekly.clicks, 0) * 7 / weeks.days AS visits
  FROM judged
  JOIN weeks ON weeks.week <= judged.first_week
  LEFT JOIN weekly ON weekly.page_key = judged.page_key AND weekly.week = weeks.week
),
pairs AS (
  SELECT
    earlier.page_key,
    SIGN(later.visits - earlier.visits) AS direction,
    (LN(later.visits + @zero_shift) - LN(earlier.visits + @zero_shift)) / (earlier.week - later.week) AS slope
  FROM series AS earlier
  JOIN series AS later ON later.page_key = earlier.page_key AND later.week < earlier.week
),
ordered AS (
  SELECT
    page_key,
    direction,
    slope,
    ROW_NUMBER() OVER (PARTITION BY page_key ORDER BY slope) AS place,
    COUNT(*) OVER (PARTITION BY page_key) AS number
  FROM pairs
),
trends AS (
  SELECT
    page_key,
    SUM(direction) AS score,
    AVG(IF(2 * place BETWEEN number AND number + 2, slope, NULL)) AS slope
  FROM ordered
  GROUP BY page_key
),
ties AS (
  SELECT page_key, SUM(times) AS weeks, SUM(times * (times - 1) * (2 * times + 5)) AS tied
  FROM (SELECT page_key, visits, COUNT(*) AS times FROM series GROUP BY page_key, visits)
  GROUP BY page_key
),
tested AS (
  SELECT
    judged.page_key,
    judged.visits_before,
    judged.visits_after,
    trends.score,
    trends.slope,
    (ties.weeks * (ties.weeks - 1) * (2 * ties.weeks + 5) - ties.tied) / 18 AS variance,
    ties.weeks
  FROM judged
  JOIN trends ON trends.page_key = judged.page_key
  JOIN ties ON ties.page_key = judged.page_key
),
decaying AS (
  SELECT
    page_key,
    page_key IN UNNEST(@known) AS is_known,
    ROW_NUMBER() OVER (
      PARTITION BY page_key IN UNNEST(@known) ORDER BY visits_before - visits_after DESC, page_key
    ) AS place
  FROM tested
  WHERE score < 0
    AND variance > 0
    AND (ABS(score) - 1) > @z * SQRT(variance)
    AND EXP(slope) - 1 < @falling_faster_than
    AND weeks >= @observed_weeks
),
told_weeks AS (
  SELECT
    decaying.page_key,
    decaying.place,
    ARRAY_AGG(STRUCT(series.week AS week, series.visits AS visits) ORDER BY series.week DESC) AS weeks
  FROM decaying
  JOIN series ON series.page_key = decaying.page_key
  WHERE decaying.place <= @limit_pages OR decaying.is_known
  GROUP BY decaying.page_key, decaying.place
),
addresses AS (
  SELECT page_key, MAX(page) AS page FROM facts GROUP BY page_key
)
SELECT
  (SELECT COUNT(*) FROM judged) AS judged,
  (SELECT COUNT(*) FROM decaying) AS decaying,
  (
    SELECT ARRAY_AGG(
      STRUCT(told_weeks.page_key AS page_key, addresses.page AS page, told_weeks.weeks AS weeks)
      ORDER BY told_weeks.place
    )
    FROM told_weeks
    JOIN addresses ON addresses.page_key = told_weeks.page_key
  ) AS pages
""".replace("<chosen>", CHOSEN)


@dataclass(frozen=True, kw_only=True, slots=True)
class DecayingPage:
    """A page whose visits fall.

    Attributes:
        page_key: Compared form of its address.
        page: An address it was reported under.
        visits: Visits a week, brought to seven days, the oldest first; None: not observed.
    """

    page_key: str
    page: str
    visits: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decaying:
    """What the warehouse says about the trends of a tenant's pages.

    Attributes:
        newest: Newest day with data; None where there is none.
        days_of_weeks: Days with data of each week, the newest week first.
        judged: Pages with enough visits to be judged.
        decaying: Pages that decay, all of them.
        pages: Those that lost most, at most the limit, and those asked for.
    """

    newest: date | None
    days_of_weeks: tuple[int, ...]
    judged: int
    decaying: int
    pages: Sequence[DecayingPage]

    @property
    def observed_weeks(self) -> int:
        """Weeks with enough days of data."""
        return sum(days >= WEEK_DAYS for days in self.days_of_weeks)

    @property
    def oldest_week(self) -> int:
        """Number of the oldest observed week, counted back from the newest, which is 0."""
        return max((week for week, days in enumerate(self.days_of_weeks) if days >= WEEK_DAYS), default=0)

    @property
    def windows(self) -> tuple[Window, Window] | None:
        """First and last day of the earlier and of the later window; None where they would overlap."""
        if self.newest is None or self.oldest_week < 2 * WINDOW_WEEKS - 1:
            return None
        first = self.newest - timedelta(days=7 * (self.oldest_week + 1) - 1)
        length = timedelta(days=7 * WINDOW_WEEKS - 1)
        return (first, first + length), (self.newest - length, self.newest)


def decaying(context: Context, today: date, limit: int, known: Sequence[str] = ()) -> Decaying:
    """Ask the warehouse.

    Args:
        context: Tenant, clients and deadline.
        today: Day of the scan, UTC.
        limit: Pages at most, those that lost most visits.
        known: Keys of pages to return besides, if they decay.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    lookback = (today - timedelta(days=7 * TREND_WEEKS + OLDEST_NEWEST_DAYS - 1), today)
    cut = uniform(told(context, *lookback, search_type=SEARCH_TYPE), {"page"}, [lookback], daily=True)
    if cut.newest is None or (today - cut.newest).days > OLDEST_NEWEST_DAYS:
        return Decaying(newest=cut.newest, days_of_weeks=(), judged=0, decaying=0, pages=())
    days = days_of_weeks(cut.newest, cut.dates)
    given = {
        **chosen([lookback], cut),
        "newest": cut.newest,
        "days_of_weeks": list(days),
        "limit_pages": limit,
        "known": Typed("STRING", list(known)),
        **rules(),
    }
    [row] = rows(context, SQL, given, timeout=PATIENCE)
    found = Decaying(
        newest=cut.newest, days_of_weeks=days, judged=int(row["judged"]), decaying=int(row["decaying"]), pages=()
    )
    pages = [_page(each, found.oldest_week) for each in row["pages"] or []]
    return dataclasses.replace(found, pages=pages)


def days_of_weeks(newest: date, dates: Collection[date]) -> tuple[int, ...]:
    """Return the days with data of each week, the newest week, which ends on ``newest``, first."""
    counted = Counter((newest - day).days // 7 for day in dates)
    return tuple(counted[week] for week in range(TREND_WEEKS))


def rules() -> dict[str, object]:
    """Return the rules as query parameters."""
    return {
        "window_weeks": WINDOW_WEEKS,
        "week_days": WEEK_DAYS,
        "visits_needed": VISITS_NEEDED,
        "zero_shift": trend.ZERO_SHIFT,
        "z": Z_OF_SIGNIFICANCE,
        "falling_faster_than": trend.FALLING_FASTER_THAN,
        "observed_weeks": trend.OBSERVED_WEEKS,
    }


def _page(row: Any, oldest: int) -> DecayingPage:
    told = {int(each["week"]): float(each["visits"]) for each in row["weeks"]}
    return DecayingPage(
        page_key=row["page_key"],
        page=row["page"],
        visits=tuple(told.get(week) for week in range(oldest, -1, -1)),
    )
