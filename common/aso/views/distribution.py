"""Where the keywords stood over time, by buckets of ranks; what nobody knows is a bucket of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

from common import cache
from common.answers import Cached
from common.aso.caches import ASO_RANK_VIEWS
from common.aso.views.models import Bucket, DataAge, Distribution, DistributionDay, DistributionQuery
from common.aso.views.ranges import CARRIED_DAYS, shown_days, stepped
from common.context import Context
from common.warehouse.query import Typed
from common.warehouse.query import rows as warehouse_rows

USUAL_DAYS = 90
STEPS = {"day": 1, "week": 7, "month": 30}
FIRST_PAGE: tuple[Bucket, ...] = ("1", "2-3", "4-10")
PATIENCE = 60.0

SQL = """\
WITH looks AS (
  SELECT
    keyword_id,
    date,
    state,
    position,
    checked_at,
    ROW_NUMBER() OVER (PARTITION BY keyword_id, date ORDER BY checked_at DESC, observation_id DESC) AS turn
  FROM {rank_observations_latest}
  WHERE date >= @first_look AND date <= @last
    AND state IN ('ranked', 'not_found')
    AND (@device IS NULL OR device = @device)
    AND (@locale IS NULL OR locale = @locale)
),
spans AS (
  SELECT
    keyword_id,
    date,
    CASE
      WHEN state = 'not_found' THEN 'not_found'
      WHEN position < 1.5 THEN '1'
      WHEN position < 3.5 THEN '2-3'
      WHEN position < 10.5 THEN '4-10'
      WHEN position < 20.5 THEN '11-20'
      WHEN position < 50.5 THEN '21-50'
      WHEN position < 100.5 THEN '51-100'
      ELSE 'beyond_100'
    END AS bucket,
    LEAD(date) OVER (PARTITION BY keyword_id ORDER BY date) AS next_date
  FROM looks
  WHERE turn = 1
),
counted AS (
  SELECT shown AS day, spans.bucket, COUNT(*) AS keywords
  FROM spans
  JOIN UNNEST(@days) AS shown
    ON spans.date <= shown
      AND (spans.next_date IS NULL OR shown < spans.next_date)
      AND shown < DATE_ADD(spans.date, INTERVAL @carried_days DAY)
  GROUP BY 1, 2
),
known AS (
  SELECT COUNT(DISTINCT keyword_id) AS keywords, MAX(checked_at) AS newest_look
  FROM {rank_observations_latest}
  WHERE date >= @first_look AND date <= @last
    AND (@device IS NULL OR device = @device)
    AND (@locale IS NULL OR locale = @locale)
)
SELECT
  known.keywords,
  known.newest_look,
  (SELECT ARRAY_AGG(STRUCT(day AS day, bucket AS bucket, keywords AS keywords)) FROM counted) AS counted
FROM known
"""


def read(context: Context, query: DistributionQuery) -> Cached[Distribution]:
    """Return the distribution through the cache ``aso_rank_views``.

    Raises:
        Unprocessable: ``invalid_range``, ``range_too_long``.
        Unavailable: BigQuery does not answer and the cache has nothing.
    """
    first, last = shown_days(query.from_, query.to, USUAL_DAYS)
    parameters = {"view": "distribution", **query.model_dump(), "from": str(first), "to": str(last)}
    return cache.read_through(context, ASO_RANK_VIEWS, parameters, lambda: compute(context, query, first, last))


def rows(context: Context, query: DistributionQuery) -> Iterator[Mapping[str, Any]]:
    """Yield one map a day for a file: ``date``, ``visible`` and one column for each bucket."""
    for day in compute(context, query, *shown_days(query.from_, query.to, USUAL_DAYS)).days:
        yield {"date": day.date, **{f"rank_{bucket}": count for bucket, count in day.counts.items()}}


def compute(context: Context, query: DistributionQuery, first: date, last: date) -> Distribution:
    """Ask the warehouse.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    now = datetime.now(UTC)
    days = stepped(first, last, STEPS[query.step])
    parameters = {
        "first_look": days[0] - timedelta(days=CARRIED_DAYS - 1),
        "last": last,
        "days": days,
        "carried_days": CARRIED_DAYS,
        "device": Typed("STRING", query.device),
        "locale": Typed("STRING", query.locale),
    }
    [told] = warehouse_rows(context, SQL, parameters, timeout=PATIENCE)
    counts: dict[str, dict[Bucket, int]] = defaultdict(dict)
    for each in told["counted"] or []:
        counts[str(each["day"])][each["bucket"]] = each["keywords"]
    return Distribution.model_validate(
        {
            "from": str(first),
            "to": str(last),
            "keywords": told["keywords"],
            "days": [_day(str(day), counts[str(day)], told["keywords"]) for day in days],
            "data": DataAge(computed_at=now, newest_look=told["newest_look"]),
        }
    )


def _day(day: str, told: Mapping[Bucket, int], keywords: int) -> DistributionDay:
    """Return the counts of a day; together they are all keywords."""
    counts: dict[Bucket, int] = {bucket: told.get(bucket, 0) for bucket in get_args(Bucket)}
    counts["unknown"] = keywords - sum(told.values())
    return DistributionDay(date=day, counts=counts, visible=sum(counts[bucket] for bucket in FIRST_PAGE))
