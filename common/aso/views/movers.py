"""Which keywords stand elsewhere than they stood, and what that is worth; a gap is no move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from common import cache
from common.answers import Cached
from common.aso.caches import ASO_RANK_VIEWS
from common.aso.gain import WORST_RANK
from common.aso.gain_model.model import GainModel
from common.aso.gain_model.service import gain_model_of
from common.aso.opportunity_rules import LONGEST_EXPORT_DAYS, MONTH_DAYS
from common.aso.periods import refused
from common.aso.views.models import DataAge, Mover, Movers, MoversQuery
from common.aso.views.ranges import CARRIED_DAYS, shown_days
from common.context import Context
from common.warehouse.query import Typed
from common.warehouse.query import rows as warehouse_rows

USUAL_DAYS = 8
PATIENCE = 60.0
EXPORTED = 10_000

SQL = """\
WITH curve AS (
  SELECT click_through, curve_step + 1 AS ranking
  FROM UNNEST(@click_through) AS click_through WITH OFFSET AS curve_step
),
looks AS (
  SELECT
    keyword_id,
    keyword,
    date,
    position,
    depth,
    url,
    checked_at,
    date > @later_after AS is_later,
    date <= @earlier AND date > @earlier_after AS is_earlier
  FROM {rank_observations_latest}
  WHERE date > @earlier_after AND date <= @later
    AND (date <= @earlier OR date > @later_after)
    AND state IN ('ranked', 'not_found')
    AND (@device IS NULL OR device = @device)
    AND (@locale IS NULL OR locale = @locale)
),
earlier AS (
  SELECT keyword_id, date, position, depth, url
  FROM looks
  WHERE is_earlier
  QUALIFY ROW_NUMBER() OVER (PARTITION BY keyword_id ORDER BY date DESC, checked_at DESC) = 1
),
later AS (
  SELECT keyword_id, keyword, date, position, depth, url, checked_at
  FROM looks
  WHERE is_later
  QUALIFY ROW_NUMBER() OVER (PARTITION BY keyword_id ORDER BY date DESC, checked_at DESC) = 1
),
demands AS (
  SELECT
    keyword_id,
    COALESCE(
      search_volume, observed_impressions * @month_days / COALESCE(observed_days, @longest_export_days)
    ) AS demand
  FROM {keywords_latest}
  WHERE DATE(last_checked) >= @oldest_checked
),
both_sides AS (
  SELECT
    later.keyword_id,
    later.keyword,
    earlier.position AS from_position,
    later.position AS to_position,
    earlier.depth AS from_depth,
    later.depth AS to_depth,
    earlier.date AS from_date,
    later.date AS to_date,
    earlier.url AS from_url,
    later.url AS to_url,
    later.checked_at,
    CASE
      WHEN earlier.position IS NULL AND later.position IS NOT NULL THEN 'found'
      WHEN earlier.position IS NOT NULL AND later.position IS NULL THEN 'lost'
      WHEN later.position < earlier.position THEN 'up'
      WHEN later.position > earlier.position THEN 'down'
      ELSE 'unchanged'
    END AS movement,
    demands.demand * (COALESCE(there.click_through, 0) - COALESCE(here.click_through, 0)) AS visits_change
  FROM later
  JOIN earlier ON earlier.keyword_id = later.keyword_id
  LEFT JOIN demands ON demands.keyword_id = later.keyword_id
  LEFT JOIN curve AS here ON here.ranking = CAST(FLOOR(earlier.position + 0.5) AS INT64)
  LEFT JOIN curve AS there ON there.ranking = CAST(FLOOR(later.position + 0.5) AS INT64)
),
shown AS (
  SELECT
    keyword_id,
    keyword,
    movement,
    from_position,
    to_position,
    from_depth,
    to_depth,
    from_date,
    to_date,
    from_url,
    to_url,
    visits_change,
    ROW_NUMBER() OVER (
      ORDER BY ABS(COALESCE(visits_change, 0)) DESC,
        ABS(COALESCE(to_position, 101) - COALESCE(from_position, 101)) DESC,
        keyword_id
    ) AS place
  FROM both_sides
  WHERE movement IN UNNEST(@movements)
)
SELECT
  (SELECT COUNTIF(movement IN ('up', 'found')) FROM both_sides) AS up,
  (SELECT COUNTIF(movement IN ('down', 'lost')) FROM both_sides) AS down,
  (SELECT COUNTIF(movement = 'unchanged') FROM both_sides) AS unchanged,
  (SELECT COUNT(*) FROM later) + (SELECT COUNT(*) FROM earlier) - 2 * (SELECT COUNT(*) FROM both_sides) AS unknown,
  (SELECT MAX(checked_at) FROM looks) AS newest_look,
  (
    SELECT ARRAY_AGG(
      STRUCT(
        keyword_id AS keyword_id,
        keyword AS keyword,
        movement AS movement,
        from_position AS from_position,
        to_position AS to_position,
        from_depth AS from_depth,
        to_depth AS to_depth,
        from_date AS from_date,
        to_date AS to_date,
        from_url AS from_url,
        to_url AS to_url,
        visits_change AS visits_change
      )
      ORDER BY place
    )
    FROM shown
    WHERE place <= @limit_movers
  ) AS movers
"""
MOVEMENTS = {"all": ["up", "down", "found", "lost"], "up": ["up", "found"], "down": ["down", "lost"]}


def read(context: Context, query: MoversQuery) -> Cached[Movers]:
    """Return the movers through the cache ``aso_rank_views``.

    Raises:
        Unprocessable: ``invalid_range``, ``range_too_long``.
        Unavailable: BigQuery does not answer and the cache has nothing.
    """
    first, last = _days(query)
    model = gain_model_of(context)
    parameters = {
        "view": "movers",
        **query.model_dump(),
        "from": str(first),
        "to": str(last),
        "model": model.version,
    }
    return cache.read_through(
        context, ASO_RANK_VIEWS, parameters, lambda: compute(context, query, first, last, model, query.limit)
    )


def rows(context: Context, query: MoversQuery) -> Iterator[Mapping[str, Any]]:
    """Yield the movers for a file, up to 10,000, with the fields of ``Mover``."""
    for mover in compute(context, query, *_days(query), gain_model_of(context), EXPORTED).items:
        yield mover.model_dump()


def _days(query: MoversQuery) -> tuple[date, date]:
    first, last = shown_days(query.from_, query.to, USUAL_DAYS)
    if first == last:
        raise refused("invalid_range", "two different days are needed", "query:from")
    return first, last


def compute(context: Context, query: MoversQuery, first: date, last: date, model: GainModel, limit: int) -> Movers:
    """Ask the warehouse.

    A look that both days would carry is the earlier day's: the later one counts looks after the earlier day only.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    now = datetime.now(UTC)
    carried = timedelta(days=CARRIED_DAYS)
    parameters = {
        "click_through": [model.click_through(rank) for rank in range(1, WORST_RANK + 1)],
        "earlier": first,
        "earlier_after": first - carried,
        "later": last,
        "later_after": max(first, last - carried),
        "oldest_checked": first - carried,
        "device": Typed("STRING", query.device),
        "locale": Typed("STRING", query.locale),
        "month_days": MONTH_DAYS,
        "longest_export_days": LONGEST_EXPORT_DAYS,
        "movements": MOVEMENTS[query.direction],
        "limit_movers": limit,
    }
    [told] = warehouse_rows(context, SQL, parameters, timeout=PATIENCE)
    return Movers.model_validate(
        {
            "from": str(first),
            "to": str(last),
            "items": [_mover(each) for each in told["movers"] or []],
            **{name: told[name] for name in ("up", "down", "unchanged", "unknown")},
            "model_version": model.version,
            "data": DataAge(computed_at=now, newest_look=told["newest_look"]),
        }
    )


def _mover(told: Mapping[str, Any]) -> Mover:
    change = told["visits_change"]
    fields = {**told, "from_date": str(told["from_date"]), "to_date": str(told["to_date"])}
    return Mover.model_validate({**fields, "visits_change": None if change is None else round(change, 2)})
