"""The ranks of up to twenty keywords over the same days, ready to draw: gaps are null and say why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from common import cache
from common.answers import Cached
from common.aso.caches import ASO_RANK_VIEWS
from common.aso.entities import KEYWORDS
from common.aso.models import RankObservation
from common.aso.periods import refused
from common.aso.rank_history import series as days_of
from common.aso.rank_models import HistoryDay
from common.aso.views.models import Chart, ChartQuery, DataAge, PageChange, Series
from common.aso.views.ranges import shown_days
from common.context import Context
from common.store import Repository
from common.warehouse.query import Typed
from common.warehouse.query import rows as warehouse_rows

USUAL_DAYS = 90
PATIENCE = 30.0

SQL = """\
SELECT
  observation_id, keyword_id, keyword, date, checked_at, device, locale, state, position, depth, url, source, created_at
FROM {rank_observations_latest}
WHERE date >= @first AND date <= @last
  AND keyword_id IN UNNEST(@keyword_ids)
  AND (@device IS NULL OR device = @device)
  AND (@locale IS NULL OR locale = @locale)
"""


def read(context: Context, query: ChartQuery) -> Cached[Chart]:
    """Return the chart through the cache ``aso_rank_views``.

    Raises:
        Unprocessable: ``keyword_required``, ``keyword_not_found``, ``invalid_range``, ``range_too_long``.
        Unavailable: BigQuery does not answer and the cache has nothing.
    """
    first, last = shown_days(query.from_, query.to, USUAL_DAYS)
    names = _names(context, query.keyword_ids)
    parameters = {
        "view": "chart",
        **query.model_dump(),
        "keyword_ids": list(names),
        "from": str(first),
        "to": str(last),
    }
    return cache.read_through(context, ASO_RANK_VIEWS, parameters, lambda: compute(context, query, names, first, last))


def rows(context: Context, query: ChartQuery) -> Iterator[Mapping[str, Any]]:
    """Yield one map a keyword and day for a file: ``keyword``, ``date``, ``position``, ``gap``, ``depth``, ``url``."""
    first, last = shown_days(query.from_, query.to, USUAL_DAYS)
    names = _names(context, query.keyword_ids)
    observed, _ = _observed(context, query, list(names), first, last)
    for keyword_id, keyword in names.items():
        for day in days_of(observed[keyword_id], first, last):
            yield {"keyword": keyword, **day.model_dump(include={"date", "position", "gap", "depth", "url"})}


def compute(context: Context, query: ChartQuery, names: Mapping[str, str], first: date, last: date) -> Chart:
    """Ask the warehouse.

    Args:
        context: Circumstances of the request.
        query: Device and locale.
        names: Keywords by id.
        first: First day.
        last: Last day.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    now = datetime.now(UTC)
    observed, newest = _observed(context, query, list(names), first, last)
    days = [(first + timedelta(days=offset)).isoformat() for offset in range((last - first).days + 1)]
    return Chart.model_validate(
        {
            "from": str(first),
            "to": str(last),
            "days": days,
            "series": [
                _series(keyword_id, keyword, days_of(observed[keyword_id], first, last))
                for keyword_id, keyword in names.items()
            ],
            "data": DataAge(computed_at=now, newest_look=newest),
        }
    )


def _names(context: Context, keyword_ids: Sequence[str]) -> dict[str, str]:
    """Return the keywords by id, in the order asked for."""
    if not keyword_ids:
        raise refused("keyword_required", "at least one keyword is needed", "query:keyword_ids")
    found = Repository(KEYWORDS, context).get_many(keyword_ids)
    for index, keyword_id in enumerate(keyword_ids):
        if keyword_id not in found:
            raise refused("keyword_not_found", "this keyword is not followed", f"query:keyword_ids/{index}")
    return {keyword_id: found[keyword_id].value.keyword for keyword_id in dict.fromkeys(keyword_ids)}


def _observed(
    context: Context, query: ChartQuery, keyword_ids: list[str], first: date, last: date
) -> tuple[dict[str, list[RankObservation]], datetime | None]:
    """Return the observations by keyword, and the time of the newest."""
    parameters = {
        "first": first,
        "last": last,
        "keyword_ids": keyword_ids,
        "device": Typed("STRING", query.device),
        "locale": Typed("STRING", query.locale),
    }
    observed: dict[str, list[RankObservation]] = defaultdict(list)
    newest: datetime | None = None
    for row in warehouse_rows(context, SQL, parameters, timeout=PATIENCE):
        fields = {**row, "date": row["date"].isoformat(), "tenant_id": context.tenant_id}
        observation = RankObservation.model_validate(fields)
        observed[observation.keyword_id].append(observation)
        newest = max(filter(None, (newest, observation.checked_at)))
    return observed, newest


def _series(keyword_id: str, keyword: str, days: Sequence[HistoryDay]) -> Series:
    pages: list[PageChange] = []
    for day in days:
        if day.url is not None and (not pages or pages[-1].url != day.url):
            pages.append(PageChange(date=day.date, url=day.url))
    return Series(
        keyword_id=keyword_id,
        keyword=keyword,
        positions=[day.position for day in days],
        gaps=[day.gap for day in days],
        depths=[day.depth for day in days],
        pages=pages,
    )
