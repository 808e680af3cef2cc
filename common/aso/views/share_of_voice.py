"""Share of voice: how the visits that organic results bring are divided between us, our competitors and the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from common import cache
from common.answers import Cached
from common.aso.caches import ASO_RANK_VIEWS
from common.aso.gain import WORST_RANK
from common.aso.gain_model.model import GainModel
from common.aso.gain_model.service import gain_model_of
from common.aso.opportunity_rules import LONGEST_EXPORT_DAYS, MONTH_DAYS
from common.aso.site.service import Site, site_of
from common.aso.views.models import DataAge, Share, ShareOfVoice, ShareQuery
from common.context import Context
from common.warehouse.query import Typed
from common.warehouse.query import rows as warehouse_rows

WHOLE = 1_000_000
PATIENCE = 60.0

SQL = """\
WITH curve AS (
  SELECT click_through, curve_step + 1 AS ranking
  FROM UNNEST(@click_through) AS click_through WITH OFFSET AS curve_step
),
checked AS (
  SELECT
    keyword_id,
    last_checked,
    current_ranking,
    COALESCE(
      search_volume, observed_impressions * @month_days / COALESCE(observed_days, @longest_export_days)
    ) AS demand,
    COALESCE(JSON_VALUE(competitor_rankings), TO_JSON_STRING(competitor_rankings)) AS competitor_rankings
  FROM {keywords_latest}
  WHERE DATE(last_checked) >= @oldest_day
),
looked_for AS (
  SELECT
    checked.keyword_id,
    JSON_VALUE(ranking, '$.competitor') AS competitor,
    MIN(CAST(JSON_VALUE(ranking, '$.position') AS INT64)) AS position
  FROM checked
  CROSS JOIN UNNEST(JSON_QUERY_ARRAY(checked.competitor_rankings)) AS ranking
  WHERE JSON_VALUE(ranking, '$.competitor') IN UNNEST(@competitors)
  GROUP BY 1, 2
),
complete AS (
  SELECT keyword_id, COUNT(*) AS competitors FROM looked_for GROUP BY keyword_id
),
judged AS (
  SELECT
    checked.keyword_id,
    checked.last_checked,
    checked.current_ranking,
    checked.demand,
    COALESCE(complete.competitors, 0) = @wanted AS is_complete
  FROM checked
  LEFT JOIN complete ON complete.keyword_id = checked.keyword_id
),
counted AS (
  SELECT keyword_id, last_checked, current_ranking, demand
  FROM judged
  WHERE is_complete AND demand IS NOT NULL
),
own AS (
  SELECT '' AS name, SUM(counted.demand * curve.click_through) AS visits, COUNT(*) AS keywords
  FROM counted JOIN curve ON curve.ranking = counted.current_ranking
),
rivals AS (
  SELECT
    looked_for.competitor AS name,
    SUM(counted.demand * COALESCE(curve.click_through, 0)) AS visits,
    COUNT(*) AS keywords
  FROM counted
  JOIN looked_for ON looked_for.keyword_id = counted.keyword_id
  LEFT JOIN curve ON curve.ranking = looked_for.position
  WHERE looked_for.position IS NOT NULL
  GROUP BY 1
)
SELECT
  (SELECT SUM(demand) FROM counted) AS demand,
  (SELECT COUNT(*) FROM counted) AS keywords,
  (SELECT COUNT(*) FROM judged WHERE is_complete AND demand IS NULL) AS without_demand,
  (SELECT COUNT(*) FROM judged WHERE NOT is_complete) AS without_competitors,
  (SELECT MAX(last_checked) FROM counted) AS newest_look,
  (SELECT visits FROM own) AS own_visits,
  (SELECT keywords FROM own) AS own_keywords,
  (SELECT ARRAY_AGG(STRUCT(name AS name, visits AS visits, keywords AS keywords)) FROM rivals) AS rivals
"""


def read(context: Context, query: ShareQuery) -> Cached[ShareOfVoice]:
    """Return the shares through the cache ``aso_rank_views``.

    Raises:
        Unavailable: BigQuery does not answer and the cache has nothing.
    """
    site = site_of(context)
    model = gain_model_of(context, site)
    parameters = {
        "view": "share_of_voice",
        **query.model_dump(),
        "competitors": site.competitors,
        "model": model.version,
    }
    return cache.read_through(context, ASO_RANK_VIEWS, parameters, lambda: compute(context, query, site, model))


def rows(context: Context, query: ShareQuery) -> Iterator[Mapping[str, Any]]:
    """Yield the shares for a file: ``name``, ``kind``, ``visits``, ``share`` (0..1), ``keywords``."""
    site = site_of(context)
    for share in compute(context, query, site, gain_model_of(context, site)).shares:
        yield {**share.model_dump(exclude={"share_ppm"}), "share": share.share_ppm / WHOLE}


def compute(context: Context, query: ShareQuery, site: Site, model: GainModel) -> ShareOfVoice:
    """Ask the warehouse.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    now = datetime.now(UTC)
    curve = [model.click_through(rank) for rank in range(1, WORST_RANK + 1)]
    parameters = {
        "click_through": curve,
        "competitors": Typed("STRING", list(site.competitors)),
        "wanted": len(site.competitors),
        "oldest_day": now.date() - timedelta(days=query.days),
        "month_days": MONTH_DAYS,
        "longest_export_days": LONGEST_EXPORT_DAYS,
    }
    [told] = warehouse_rows(context, SQL, parameters, timeout=PATIENCE)
    found = {each["name"]: each for each in told["rivals"] or []}
    own = _visits(told["own_visits"])
    rivals = {name: _visits(found.get(name, {}).get("visits")) for name in site.competitors}
    shares = divided(_visits(told["demand"]) * sum(curve), own, rivals)
    keywords = {"own": told["own_keywords"], **{name: each["keywords"] for name, each in found.items()}}
    return ShareOfVoice(
        shares=[share.model_copy(update={"keywords": _keywords(share, keywords)}) for share in shares],
        visits=round(sum(share.visits for share in shares), 2),
        keywords=told["keywords"],
        without_demand=told["without_demand"],
        without_competitors=told["without_competitors"],
        model_version=model.version,
        data=DataAge(computed_at=now, newest_look=told["newest_look"]),
    )


def _visits(told: Any) -> float:
    return 0.0 if told is None else float(told)


def _keywords(share: Share, keywords: Mapping[str, int]) -> int | None:
    return None if share.kind == "rest" else int(keywords.get("own" if share.kind == "own" else share.name) or 0)


def divided(whole: float, own: float, rivals: Mapping[str, float]) -> list[Share]:
    """Divide all visits into shares that sum to one exactly.

    The rest is what neither we nor a competitor gets. Ranks that contradict each other (two competitors on one rank,
    told by different sources) may sum to more than the whole; then that sum is the whole, and there is no rest.

    Args:
        whole: Visits to all organic results.
        own: Visits to ours.
        rivals: Visits to each competitor.
    """
    known = own + sum(rivals.values())
    rest = max(0.0, whole - known)
    parts = [own, *rivals.values(), rest]
    if sum(parts) <= 0:
        return []
    names = ["own", *rivals, "rest"]
    kinds = ["own", *("competitor" for _ in rivals), "rest"]
    return [
        Share.model_validate({"name": name, "kind": kind, "visits": round(part, 2), "share_ppm": ppm, "keywords": None})
        for name, kind, part, ppm in zip(names, kinds, parts, apportioned(parts), strict=True)
    ]


def apportioned(parts: Sequence[float], whole: int = WHOLE) -> list[int]:
    """Return whole numbers in proportion to the parts that sum to ``whole``, by the largest remainders."""
    total = sum(parts)
    exact = [part / total * whole for part in parts]
    floors = [min(int(each), whole) for each in exact]
    order = sorted(range(len(parts)), key=lambda index: (floors[index] - exact[index], index))
    for index in order[: max(0, whole - sum(floors))]:
        floors[index] += 1
    return floors
