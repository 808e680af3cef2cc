"""The figures of some pages in two windows, and of the site around them, asked of the warehouse as one set.

The totals of a page come from the best cut that names the page (``cuts``), the searches it is found by from the best
one that names query and page. Sources leave rare searches out of the latter, so what the totals have beyond the
``SEARCHES`` largest searches is a cell of its own, the other searches, and nothing is lost.

The site's clicks and impressions by whole rank serve ``site_shift``; those of each page come along, to be left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from common.aso.detectors.cuts import SEARCH_TYPE, Window, chosen, uniform
from common.aso.detectors.decomposition import Cell, Curve, Side, pooled
from common.aso.detectors.site_shift import BANDS, Band, band_of
from common.aso.performance.coverage import CHOSEN, told
from common.aso.performance.models import SplitBy
from common.context import Context
from common.warehouse.query import Typed, rows

SEARCHES = 100
"""Searches of a page that are told apart: those with most visits in either window."""
WORST_RANK = 100
PATIENCE = 120.0
NEEDED: tuple[frozenset[SplitBy], ...] = (frozenset({"page"}), frozenset({"query", "page"}))

SQL = """\
WITH told AS (
  SELECT dimensions, query, page_key, clicks, impressions, position, from_date >= @after_first AS is_after
  FROM {search_performance_latest}
  WHERE <chosen> AND page_key IS NOT NULL
),
totals AS (
  SELECT
    told.page_key,
    told.is_after,
    SUM(told.clicks) AS clicks,
    SUM(told.impressions) AS impressions,
    SUM(told.impressions * COALESCE(told.position, 0)) AS weighted
  FROM told
  WHERE told.dimensions = @page_cut AND told.page_key IN UNNEST(@pages)
  GROUP BY told.page_key, told.is_after
),
searched AS (
  SELECT
    told.page_key,
    told.query,
    told.is_after,
    SUM(told.clicks) AS clicks,
    SUM(told.impressions) AS impressions,
    SUM(told.impressions * COALESCE(told.position, 0)) AS weighted
  FROM told
  WHERE told.dimensions = @query_cut
  GROUP BY told.page_key, told.query, told.is_after
),
placed AS (
  SELECT
    page_key,
    is_after,
    clicks,
    impressions,
    CAST(LEAST(ROUND(weighted / impressions), @worst_rank) AS INT64) AS place
  FROM searched
  WHERE impressions > 0
),
ranked AS (
  SELECT page_key, is_after, place, SUM(clicks) AS clicks, SUM(impressions) AS impressions
  FROM placed
  GROUP BY page_key, is_after, place
),
site_ranks AS (
  SELECT is_after, place, SUM(clicks) AS clicks, SUM(impressions) AS impressions
  FROM ranked
  GROUP BY is_after, place
),
queries AS (
  SELECT
    page_key,
    query,
    SUM(IF(is_after, 0, clicks)) AS clicks_before,
    SUM(IF(is_after, 0, impressions)) AS impressions_before,
    SUM(IF(is_after, 0, weighted)) AS weighted_before,
    SUM(IF(is_after, clicks, 0)) AS clicks_after,
    SUM(IF(is_after, impressions, 0)) AS impressions_after,
    SUM(IF(is_after, weighted, 0)) AS weighted_after
  FROM searched
  WHERE page_key IN UNNEST(@pages)
  GROUP BY page_key, query
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY page_key
    ORDER BY
      GREATEST(SUM(IF(is_after, 0, clicks)), SUM(IF(is_after, clicks, 0))) DESC,
      GREATEST(SUM(IF(is_after, 0, impressions)), SUM(IF(is_after, impressions, 0))) DESC,
      query
  ) <= @searches
)
SELECT
  (SELECT ARRAY_AGG(STRUCT(
      page_key AS page_key,
      is_after AS is_after,
      clicks AS clicks,
      impressions AS impressions,
      weighted AS weighted
    )) FROM totals) AS totals,
  (
    SELECT ARRAY_AGG(STRUCT(
      page_key AS page_key,
      query AS query,
      clicks_before AS clicks_before,
      impressions_before AS impressions_before,
      weighted_before AS weighted_before,
      clicks_after AS clicks_after,
      impressions_after AS impressions_after,
      weighted_after AS weighted_after
    ))
    FROM queries
  ) AS queries,
  (
    SELECT ARRAY_AGG(STRUCT(
      page_key AS page_key,
      is_after AS is_after,
      place AS place,
      clicks AS clicks,
      impressions AS impressions
    ))
    FROM ranked
    WHERE page_key IN UNNEST(@pages)
  ) AS own_ranks,
  (SELECT ARRAY_AGG(STRUCT(
      is_after AS is_after,
      place AS place,
      clicks AS clicks,
      impressions AS impressions
    )) FROM site_ranks) AS site_ranks
""".replace("<chosen>", CHOSEN)

Rank = Mapping[str, Any]
"""Clicks and impressions of one whole rank in one window, as the warehouse tells them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Figures in two windows.

    Attributes:
        days_before: Days of the earlier window with data of the site.
        days_after: Days of the later one.
        newest: Newest day with data in either; None where there is none.
        cells: Of each page asked for, the searches it is found by; a page without any is missing.
        site_ranks: The site's clicks and impressions by rank.
        own_ranks: Those of each page.
    """

    days_before: int
    days_after: int
    newest: date | None
    cells: Mapping[str, Sequence[Cell]]
    site_ranks: Sequence[Rank]
    own_ranks: Mapping[str, Sequence[Rank]]

    def site_bands(self, model: Curve) -> list[Band]:
        """Return the bands of the whole site."""
        return bands(self.site_ranks, model)

    def own_bands(self, page_key: str, model: Curve) -> list[Band]:
        """Return the bands of one page."""
        return bands(self.own_ranks.get(page_key, ()), model)


def changes(context: Context, pages: Sequence[str], before: Window, after: Window) -> Change:
    """Ask the warehouse.

    Args:
        context: Tenant, clients and deadline.
        pages: Compared forms of addresses; some hundreds at most.
        before: The earlier window.
        after: The later one; it begins after the earlier one ended.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    windows = [before, after]
    portions = told(context, before[0], after[1], search_type=SEARCH_TYPE)
    page_cut, query_cut = (uniform(portions, needed, windows) for needed in NEEDED)
    if page_cut.newest is None:
        return Change(days_before=0, days_after=0, newest=None, cells={}, site_ranks=(), own_ranks={})
    given = {
        **chosen(windows, page_cut, query_cut),
        "after_first": after[0],
        "page_cut": page_cut.dimensions,
        "query_cut": query_cut.dimensions,
        "pages": Typed("STRING", list(pages)),
        "searches": SEARCHES,
        "worst_rank": WORST_RANK,
    }
    [row] = rows(context, SQL, given, timeout=PATIENCE)
    own: dict[str, list[Rank]] = {}
    for each in row["own_ranks"] or []:
        own.setdefault(each["page_key"], []).append(each)
    return Change(
        days_before=page_cut.days[0],
        days_after=page_cut.days[1],
        newest=page_cut.newest,
        cells=_cells(row["totals"] or [], row["queries"] or []),
        site_ranks=row["site_ranks"] or [],
        own_ranks=own,
    )


def bands(ranks: Sequence[Rank], model: Curve) -> list[Band]:
    """Return clicks, and those a model expects of the impressions, by band of ranks and window."""
    nothing = {"clicks_before": 0.0, "expected_before": 0.0, "clicks_after": 0.0, "expected_after": 0.0}
    sums = [dict(nothing) for _ in range(BANDS)]
    for each in ranks:
        band, window = sums[band_of(float(each["place"]))], "after" if each["is_after"] else "before"
        band[f"clicks_{window}"] += float(each["clicks"])
        band[f"expected_{window}"] += float(each["impressions"]) * model(None, float(each["place"]))
    return [Band(**each) for each in sums]


def _cells(totals: Sequence[Mapping[str, Any]], queries: Sequence[Mapping[str, Any]]) -> dict[str, list[Cell]]:
    """Return the cells of each page: its largest searches, and all else together."""
    named: dict[str, list[Cell]] = {}
    for row in queries:
        sides = [_side(row, window) for window in ("_before", "_after")]
        named.setdefault(row["page_key"], []).append(Cell(query=row["query"], before=sides[0], after=sides[1]))
    whole: dict[str, dict[bool, Side]] = {}
    for row in totals:
        whole.setdefault(row["page_key"], {})[bool(row["is_after"])] = _side(row, "")
    found = {}
    for page in sorted({*named, *whole}):
        cells = sorted(named.get(page, []), key=lambda cell: cell.query or "")
        own = whole.get(page, {})
        before, after = (
            _rest(own.get(is_after, Side()), [cell.after if is_after else cell.before for cell in cells])
            for is_after in (False, True)
        )
        if before != Side() or after != Side():
            cells.append(Cell(query=None, before=before, after=after))
        found[page] = pooled(cells)
    return found


def _side(row: Mapping[str, Any], window: str) -> Side:
    impressions = float(row[f"impressions{window}"])
    return Side(
        clicks=float(row[f"clicks{window}"]),
        impressions=impressions,
        position=float(row[f"weighted{window}"]) / impressions if impressions else 0.0,
    )


def _rest(whole: Side, parts: Sequence[Side]) -> Side:
    """Return what a page has beyond its named searches; nothing where these have as much already."""
    clicks = max(0.0, whole.clicks - sum(part.clicks for part in parts))
    impressions = max(0.0, whole.impressions - sum(part.impressions for part in parts))
    if not impressions:
        return Side(clicks=clicks)
    weighted = whole.impressions * whole.position - sum(part.impressions * part.position for part in parts)
    return Side(clicks=clicks, impressions=impressions, position=max(1.0, weighted / impressions))
