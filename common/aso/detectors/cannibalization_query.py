"""Which searches pages of the site share as rivals, asked of the warehouse as one set.

The rules are those of ``common.aso.detectors.cannibalization``; a test holds the two against each other on random days.
Only one cut by query and page is read (``cuts``), over the ``WINDOW_DAYS`` days up to the newest one with data. Of
searches spelt differently those with the same keyword id are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from common.aso.detectors import cannibalization
from common.aso.detectors.cannibalization import WINDOW_DAYS, PageDay
from common.aso.detectors.cuts import SEARCH_TYPE, chosen, uniform
from common.aso.performance.coverage import CHOSEN, told
from common.context import Context
from common.warehouse.query import Typed, rows

OLDEST_NEWEST_DAYS = 30
"""Where the newest day with data is older, nothing is said about today."""
MOST_PAGES = 20
"""Pages of one search that are told by day, those with most impressions; more are counted in the shares only."""
PATIENCE = 120.0

SQL = """\
WITH days AS (
  SELECT
    keyword_id,
    date,
    page_key,
    MIN(query) AS query,
    SUM(clicks) AS clicks,
    SUM(impressions) AS impressions,
    SUM(impressions * COALESCE(position, 1)) / SUM(impressions) AS position
  FROM {search_performance_latest}
  WHERE <chosen> AND page_key IS NOT NULL AND keyword_id IS NOT NULL AND impressions > 0
  GROUP BY keyword_id, date, page_key
),
pages AS (
  SELECT
    keyword_id,
    page_key,
    SUM(impressions) AS impressions,
    SUM(SUM(impressions)) OVER (PARTITION BY keyword_id) AS all_impressions,
    ROW_NUMBER() OVER (PARTITION BY keyword_id ORDER BY SUM(impressions) DESC, page_key) AS place
  FROM days
  GROUP BY keyword_id, page_key
),
contested AS (
  SELECT
    keyword_id,
    ANY_VALUE(all_impressions) AS impressions,
    POW(ANY_VALUE(all_impressions), 2) / SUM(impressions * impressions) AS severity
  FROM pages
  GROUP BY keyword_id
  HAVING COUNTIF(impressions > @share_above * all_impressions) >= 2
    AND ANY_VALUE(all_impressions) > @impressions_above
),
leaders AS (
  SELECT days.keyword_id, days.date, days.page_key
  FROM days
  JOIN contested ON contested.keyword_id = days.keyword_id
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY days.keyword_id, days.date ORDER BY days.impressions DESC, days.clicks DESC, days.page_key
  ) = 1
),
followed AS (
  SELECT
    keyword_id,
    page_key,
    LAG(page_key) OVER (PARTITION BY keyword_id ORDER BY date) AS page_before
  FROM leaders
),
switching AS (
  SELECT keyword_id, COUNT(*) AS days, COUNTIF(page_before IS NOT NULL AND page_before != page_key) AS switches
  FROM followed
  GROUP BY keyword_id
),
flagged AS (
  SELECT
    contested.keyword_id,
    contested.severity,
    switching.days,
    switching.switches,
    contested.keyword_id IN UNNEST(@known) AS is_known,
    ROW_NUMBER() OVER (
      PARTITION BY contested.keyword_id IN UNNEST(@known) ORDER BY contested.impressions DESC, contested.keyword_id
    ) AS place
  FROM contested
  JOIN switching ON switching.keyword_id = contested.keyword_id
  WHERE switching.days >= @observed_days AND switching.switches > @switches_above * (switching.days - 1)
),
told_days AS (
  SELECT
    flagged.keyword_id,
    flagged.place,
    flagged.severity,
    flagged.switches,
    MIN(days.query) AS query,
    ARRAY_AGG(STRUCT(
      days.date AS day,
      days.page_key AS page,
      days.impressions AS impressions,
      days.clicks AS clicks,
      days.position AS position
    )) AS days
  FROM flagged
  JOIN days ON days.keyword_id = flagged.keyword_id
  JOIN pages ON pages.keyword_id = days.keyword_id AND pages.page_key = days.page_key
  WHERE (flagged.place <= @limit_searches OR flagged.is_known) AND pages.place <= @most_pages
  GROUP BY flagged.keyword_id, flagged.place, flagged.severity, flagged.switches
)
SELECT
  (SELECT COUNT(*) FROM flagged) AS flagged,
  (
    SELECT ARRAY_AGG(STRUCT(
      keyword_id AS keyword_id,
      query AS query,
      severity AS severity,
      switches AS switches,
      days AS days
    ) ORDER BY place)
    FROM told_days
  ) AS searches
""".replace("<chosen>", CHOSEN)


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedSearch:
    """A search that pages share as rivals.

    Attributes:
        keyword_id: Of the search, whether the tenant follows it as a keyword or not.
        query: As it was searched.
        severity: Inverse Herfindahl index over all pages, as the warehouse counts it.
        switches: Changes of the leading page, as the warehouse counts them.
        days: Its pages by day.
    """

    keyword_id: str
    query: str
    severity: float
    switches: int
    days: Sequence[PageDay]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shared:
    """What the warehouse says about searches with several pages.

    Attributes:
        newest: Newest day with data; None where there is none.
        observed_days: Days of the window with data.
        flagged: Searches that are shared by rivals, all of them.
        searches: Those with most impressions, at most the limit, and those asked for.
    """

    newest: date | None
    observed_days: int
    flagged: int
    searches: Sequence[SharedSearch]


def shared_searches(context: Context, today: date, limit: int, known: Sequence[str] = ()) -> Shared:
    """Ask the warehouse.

    Args:
        context: Tenant, clients and deadline.
        today: Day of the scan, UTC.
        limit: Searches at most, those with most impressions.
        known: Keyword ids to return besides, if their searches are shared.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    lookback = (today - timedelta(days=OLDEST_NEWEST_DAYS + WINDOW_DAYS - 1), today)
    portions = told(context, *lookback, search_type=SEARCH_TYPE)
    newest = uniform(portions, {"query", "page"}, [lookback], daily=True).newest
    if newest is None or (today - newest).days > OLDEST_NEWEST_DAYS:
        return Shared(newest=newest, observed_days=0, flagged=0, searches=())
    window = (newest - timedelta(days=WINDOW_DAYS - 1), newest)
    cut = uniform(portions, {"query", "page"}, [window], daily=True)
    given = {
        **chosen([window], cut),
        "most_pages": MOST_PAGES,
        "limit_searches": limit,
        "known": Typed("STRING", list(known)),
        **rules(),
    }
    [row] = rows(context, SQL, given, timeout=PATIENCE)
    return Shared(
        newest=newest,
        observed_days=cut.days[0],
        flagged=int(row["flagged"]),
        searches=[_search(each) for each in row["searches"] or []],
    )


def rules() -> dict[str, object]:
    """Return the rules as query parameters."""
    return {
        "share_above": cannibalization.SHARE_ABOVE,
        "impressions_above": cannibalization.IMPRESSIONS_ABOVE,
        "observed_days": cannibalization.OBSERVED_DAYS,
        "switches_above": cannibalization.SWITCHES_ABOVE,
    }


def _search(row: Any) -> SharedSearch:
    days = [
        PageDay(
            day=each["day"],
            page=each["page"],
            impressions=int(each["impressions"]),
            clicks=int(each["clicks"]),
            position=float(each["position"]),
        )
        for each in row["days"]
    ]
    return SharedSearch(
        keyword_id=row["keyword_id"],
        query=row["query"],
        severity=float(row["severity"]),
        switches=int(row["switches"]),
        days=sorted(days, key=lambda each: (each.day, each.page)),
    )
