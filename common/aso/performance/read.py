"""Reading search performance: figures by day, week, query, page, device or country, each answer with its age.

Two queries, both over the partitions of the range alone: which portions there are (``coverage``), then the sums over
those that were chosen. Answers go through the cache ``aso_performance``, which new rows make stale.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from common import cache
from common.answers import Cached
from common.aso.normalize import keyword_id_of
from common.aso.performance.caches import ASO_PERFORMANCE
from common.aso.performance.coverage import CHOSEN, Coverage, coverage, ranges
from common.aso.performance.models import SplitBy
from common.aso.performance.read_models import (
    MOST_ITEMS,
    CoveredRange,
    Figures,
    Performance,
    PerformanceItem,
    PerformanceQuery,
)
from common.aso.performance.record import page_key_of
from common.aso.periods import days_between
from common.context import Context
from common.warehouse.query import Row, rows

LONGEST = 488
"""Days of 16 months: as long as Search Console keeps them."""
USUAL = 28
GROUPS: Mapping[str, tuple[str, SplitBy | None]] = {
    "day": ("CAST(date AS STRING)", None),
    "week": ("CAST(date AS STRING)", None),
    "query": ("keyword_id", "query"),
    "page": ("page_key", "page"),
    "device": ("device", "device"),
    "country": ("country", "country"),
}
"""What items are grouped by: expression, and the split that rows need for it."""
ORDERS = {
    "clicks": "clicks DESC",
    "impressions": "impressions DESC",
    "ctr": "SAFE_DIVIDE(clicks, impressions) DESC",
    "position": "COALESCE(SAFE_DIVIDE(weighted, weight), 1e9)",
}
FILTERS: Mapping[str, tuple[str, SplitBy]] = {
    "query": ("keyword_id = @query", "query"),
    "page": ("page_key = @page", "page"),
    "device": ("device = @device", "device"),
    "country": ("country = @country", "country"),
}


def performance(context: Context, query: PerformanceQuery) -> Cached[Performance]:
    """Return figures through the cache.

    Raises:
        Unprocessable: ``invalid_range`` (it ends before it begins), ``range_too_long`` (more than 16 months).
        Unavailable: BigQuery does not answer and the cache has nothing.
    """
    first, last = range_of(query)
    # The days themselves: an answer about "the last 28 days" is another one tomorrow.
    asked = {**query.model_dump(by_alias=True), "from": first.isoformat(), "to": last.isoformat()}
    return cache.read_through(context, ASO_PERFORMANCE, asked, lambda: compute(context, query, first, last))


def range_of(query: PerformanceQuery) -> tuple[date, date]:
    """Return first and last day.

    Raises:
        Unprocessable: ``invalid_range``, ``range_too_long``.
    """
    return days_between(query.from_, query.to, USUAL, LONGEST)


def compute(context: Context, query: PerformanceQuery, first: date, last: date) -> Performance:
    """Ask the warehouse.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    now = datetime.now(UTC)
    needed = _needed(query)
    timed = query.by in {"day", "week"}
    chosen = coverage(context, needed, first, last, search_type=query.search_type, daily=timed)
    found = _sums(context, query, chosen, limit=MOST_ITEMS if timed else query.limit)
    items = _weeks(found) if query.by == "week" else [_item(query, row) for row in found]
    return Performance.model_validate(
        {
            "by": query.by,
            "from": first.isoformat(),
            "to": last.isoformat(),
            "search_type": query.search_type,
            "items": items,
            "total": _total(found),
            "number": len(items) if timed else int(found[0]["number"]) if found else 0,
            "newest_day": chosen.newest_day,
            "days_with_data": chosen.days,
            "coverage": [
                CoveredRange.model_validate({"source": source, "dimensions": cut, "from": begin, "to": end})
                for source, cut, begin, end in ranges(chosen.portions)
            ],
            "computed_at": now,
        }
    )


def items(context: Context, query: PerformanceQuery) -> Iterator[Mapping[str, Any]]:
    """Yield the items of a query as rows, past the cache, for reports.

    Raises:
        Unprocessable: ``invalid_range``, ``range_too_long``.
        Unavailable: BigQuery does not answer.
    """
    first, last = range_of(query)
    for item in compute(context, query, first, last).items:
        yield {query.by: item.key, **item.model_dump(exclude={"key", "days", "keyword_id"})}


def _needed(query: PerformanceQuery) -> set[SplitBy]:
    needed: set[SplitBy] = {split for name, (_, split) in FILTERS.items() if getattr(query, name) is not None}
    split = GROUPS[query.by][1]
    return needed if split is None else needed | {split}


def _sums(context: Context, query: PerformanceQuery, chosen: Coverage, *, limit: int) -> Sequence[Row]:
    """Return the sums of every item, with the sums and the number of all of them in each row."""
    if not chosen.portions:
        return []
    group, _ = GROUPS[query.by]
    parameters: dict[str, object] = {**chosen.parameters(), "items": limit}
    conditions = [CHOSEN]
    for name, (condition, _) in FILTERS.items():
        value = getattr(query, name)
        if value is not None:
            conditions.append(condition)
            parameters[name] = _compared(context, name, value)
    order = "item" if query.by in {"day", "week"} else f"{ORDERS[query.order]}, item"
    sql = f"""\
WITH grouped AS (
  SELECT
    {group} AS item,
    MIN(query) AS query,
    SUM(clicks) AS clicks,
    SUM(impressions) AS impressions,
    SUM(position * impressions) AS weighted,
    SUM(IF(position IS NULL, 0, impressions)) AS weight
  FROM {{search_performance_latest}}
  WHERE {" AND ".join(conditions)}
  GROUP BY item
),
numbered AS (
  SELECT
    *,
    COUNT(*) OVER () AS number,
    SUM(clicks) OVER () AS all_clicks,
    SUM(impressions) OVER () AS all_impressions,
    SUM(weighted) OVER () AS all_weighted,
    SUM(weight) OVER () AS all_weight,
    ROW_NUMBER() OVER (ORDER BY {order}) AS place
  FROM grouped
)
SELECT * FROM numbered WHERE place <= @items ORDER BY place
"""  # noqa: S608 - built of constants of this module; values are parameters
    return rows(context, sql, parameters)


def _compared(context: Context, name: str, value: str) -> str:
    match name:
        case "query":
            return keyword_id_of(context.tenant_id, value)
        case "page":
            return page_key_of(value)
        case _:
            return value


def _item(query: PerformanceQuery, row: Row) -> PerformanceItem:
    searched = query.by == "query"
    figures = _figures(row["clicks"], row["impressions"], row["weighted"], row["weight"])
    key = str(row["query"] if searched else row["item"])
    return PerformanceItem(key=key, keyword_id=row["item"] if searched else None, **figures.model_dump())


def _figures(clicks: int, impressions: int, weighted: float | None, weight: float | None) -> Figures:
    return Figures(
        clicks=int(clicks),
        impressions=int(impressions),
        ctr=round(clicks / impressions, 6) if impressions else None,
        position=round(weighted / weight, 4) if weight and weighted is not None else None,
    )


def _total(found: Sequence[Row]) -> Figures:
    if not found:
        return _figures(0, 0, None, None)
    row = found[0]
    return _figures(row["all_clicks"], row["all_impressions"], row["all_weighted"], row["all_weight"])


def _weeks(found: Sequence[Row]) -> list[PerformanceItem]:
    """Return the figures of calendar weeks, which begin on Monday, of those of days."""
    weeks: dict[date, list[Row]] = defaultdict(list)
    for row in found:
        day = date.fromisoformat(row["item"])
        weeks[day - timedelta(days=day.weekday())].append(row)
    return [_week(monday, weeks[monday]) for monday in sorted(weeks)]


def _week(monday: date, days: Sequence[Row]) -> PerformanceItem:
    figures = _figures(
        sum(row["clicks"] for row in days),
        sum(row["impressions"] for row in days),
        sum(row["weighted"] or 0 for row in days),
        sum(row["weight"] or 0 for row in days),
    )
    return PerformanceItem(key=monday.isoformat(), days=len(days), **figures.model_dump())
