"""Which keywords are content gaps, asked of the warehouse as one set, and what this tenant converts by intent.

The rules are those of ``common.aso.detectors.content_gap``; a test holds the two against each other. The warehouse only
proposes: the stored keywords decide, which are read for what it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from common.aso.detectors import content_gap
from common.aso.detectors.content_gap import Conversion
from common.aso.opportunity_rules import LONGEST_EXPORT_DAYS, MONTH_DAYS
from common.context import Context
from common.warehouse.query import Typed, rows

LOOKED_AT_DAYS = 730
"""Keywords that were checked once, but not within so many days, are not even counted as unchecked."""
PIECES_OF_DAYS = 3650
"""Pieces made earlier say nothing about what the tenant converts."""
UNCHECKED_SHOWN = 50
PATIENCE = 120.0

SQL = """\
WITH looked_at AS (
  SELECT
    keyword_id,
    keyword,
    intent,
    last_checked IS NOT NULL AND DATE(last_checked) >= @oldest_day AS is_checked,
    current_ranking,
    COALESCE(
      search_volume, observed_impressions * @month_days / COALESCE(observed_days, @longest_export_days)
    ) AS demand,
    COALESCE(JSON_VALUE(competitor_rankings), TO_JSON_STRING(competitor_rankings)) AS competitor_rankings
  FROM {keywords_latest}
  WHERE last_checked IS NULL OR DATE(last_checked) >= @oldest_looked_at
),
rankings AS (
  SELECT
    looked_at.keyword_id,
    REGEXP_EXTRACT(LOWER(JSON_VALUE(ranking, '$.competitor')), '^(?:[a-z]+://)?([^/:]+)') AS host,
    CAST(JSON_VALUE(ranking, '$.position') AS INT64) AS position
  FROM looked_at
  CROSS JOIN UNNEST(JSON_QUERY_ARRAY(looked_at.competitor_rankings)) AS ranking
),
rivals AS (
  SELECT rankings.keyword_id, COUNT(DISTINCT competitor) AS competitors
  FROM rankings
  JOIN UNNEST(@competitors) AS competitor
    ON rankings.host = competitor OR ENDS_WITH(rankings.host, CONCAT('.', competitor))
  WHERE rankings.position <= @competitor_worst_rank
  GROUP BY rankings.keyword_id
),
contested AS (
  SELECT
    looked_at.keyword_id,
    looked_at.keyword,
    looked_at.is_checked,
    looked_at.demand,
    ROW_NUMBER() OVER (
      PARTITION BY looked_at.is_checked, looked_at.keyword_id IN UNNEST(@known)
      ORDER BY COALESCE(looked_at.demand, -1) DESC, looked_at.keyword_id
    ) AS place
  FROM looked_at
  JOIN rivals ON rivals.keyword_id = looked_at.keyword_id
  WHERE rivals.competitors >= @competitors_needed
    AND (NOT looked_at.is_checked OR looked_at.current_ranking IS NULL OR looked_at.current_ranking > @own_best_rank)
),
conversions AS (
  SELECT
    looked_at.intent,
    SUM(pieces.monthly_traffic) AS visits,
    SUM(pieces.monthly_conversions) AS conversions
  FROM {content_pieces_latest} AS pieces
  JOIN looked_at ON LOWER(looked_at.keyword) = LOWER(pieces.keyword_primary)
  WHERE DATE(pieces.created_at) >= @oldest_piece
    AND pieces.monthly_traffic IS NOT NULL AND pieces.monthly_conversions IS NOT NULL AND looked_at.intent IS NOT NULL
  GROUP BY looked_at.intent
)
SELECT
  (SELECT COUNT(*) FROM contested WHERE is_checked) AS gaps,
  (SELECT COUNT(*) FROM contested WHERE is_checked AND demand IS NULL) AS without_demand,
  (SELECT COUNT(*) FROM contested WHERE NOT is_checked) AS unchecked,
  (
    SELECT ARRAY_AGG(keyword_id ORDER BY place)
    FROM contested
    WHERE is_checked AND (place <= @limit_gaps OR keyword_id IN UNNEST(@known))
  ) AS gap_ids,
  (
    SELECT ARRAY_AGG(STRUCT(keyword_id AS keyword_id, keyword AS keyword) ORDER BY place)
    FROM contested
    WHERE NOT is_checked AND place <= @unchecked_shown
  ) AS unchecked_keywords,
  (SELECT ARRAY_AGG(STRUCT(
      intent AS intent,
      visits AS visits,
      conversions AS conversions
    )) FROM conversions) AS conversions
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gaps:
    """What the warehouse says about keywords that competitors are found for.

    Attributes:
        gaps: Content gaps, all of them.
        without_demand: Of those, the ones whose demand nobody knows.
        unchecked: Keywords that would be gaps if somebody had looked and not found us.
        gap_ids: Gaps with the greatest demand, at most the limit, and those asked for.
        unchecked_keywords: Id and text of the first unchecked ones.
        conversions: What the tenant's pages bring, by intent.
    """

    gaps: int
    without_demand: int
    unchecked: int
    gap_ids: Sequence[str]
    unchecked_keywords: Sequence[tuple[str, str]]
    conversions: Mapping[str, Conversion]


def gaps(context: Context, competitors: Sequence[str], today: date, limit: int, known: Sequence[str] = ()) -> Gaps:
    """Ask the warehouse.

    Args:
        context: Tenant, clients and deadline.
        competitors: Registrable hosts.
        today: Day of the scan, UTC.
        limit: Gaps at most, those with the greatest demand.
        known: Keyword ids to return besides, if they are gaps.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    given = {
        "oldest_day": content_gap.oldest_day(today),
        "oldest_looked_at": today - timedelta(days=LOOKED_AT_DAYS),
        "oldest_piece": today - timedelta(days=PIECES_OF_DAYS),
        "month_days": MONTH_DAYS,
        "longest_export_days": LONGEST_EXPORT_DAYS,
        "competitors": Typed("STRING", list(competitors)),
        "competitor_worst_rank": content_gap.COMPETITOR_WORST_RANK,
        "competitors_needed": content_gap.COMPETITORS_NEEDED,
        "own_best_rank": content_gap.OWN_BEST_RANK,
        "limit_gaps": limit,
        "known": Typed("STRING", list(known)),
        "unchecked_shown": UNCHECKED_SHOWN,
    }
    [row] = rows(context, SQL, given, timeout=PATIENCE)
    return Gaps(
        gaps=int(row["gaps"]),
        without_demand=int(row["without_demand"]),
        unchecked=int(row["unchecked"]),
        gap_ids=list(row["gap_ids"] or []),
        unchecked_keywords=[(each["keyword_id"], each["keyword"]) for each in row["unchecked_keywords"] or []],
        conversions={
            each["intent"]: Conversion(visits=float(each["visits"]), conversions=float(each["conversions"]))
            for each in row["conversions"] or []
        },
    )
