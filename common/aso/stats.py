"""The statistics of document 000 (``aso_stats``), each figure with its age.

One query over the tenant's three tables. What counts as within ``days_back``, so that whole partitions are left out:
content pieces created, keywords checked, opportunities detected in that time. Keywords that nobody has checked yet
count too, but have no rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field

from common import cache
from common.answers import Aged, Cached
from common.aso.caches import ASO_STATS
from common.context import Context
from common.events import moment_of
from common.model import Model, Timestamp
from common.warehouse.query import rows

SQL = """\
WITH content AS (
  SELECT COUNT(*) AS total_content, MAX(change_sequence) AS newest
  FROM {content_pieces_latest}
  WHERE DATE(created_at) >= @oldest_day
),
keywords AS (
  SELECT
    COUNT(*) AS total_keywords,
    AVG(current_ranking) AS avg_ranking,
    COUNTIF(current_ranking <= 3) AS ranked_1_to_3,
    COUNTIF(current_ranking BETWEEN 4 AND 10) AS ranked_4_to_10,
    COUNTIF(current_ranking BETWEEN 11 AND 30) AS ranked_11_to_30,
    MAX(change_sequence) AS newest
  FROM {keywords_latest}
  WHERE last_checked IS NULL OR DATE(last_checked) >= @oldest_day
),
opportunities AS (
  SELECT
    COUNT(*) AS total_opportunities,
    COUNTIF(status IN ('new', 'in_progress') AND opportunity_type = 'low_hanging_fruit') AS low_hanging_fruit,
    COUNTIF(status IN ('new', 'in_progress') AND opportunity_type = 'rank_improvement') AS rank_improvement,
    COUNTIF(status IN ('new', 'in_progress') AND opportunity_type = 'content_gap') AS content_gap,
    SUM(IF(status IN ('new', 'in_progress'), expected_gain, NULL)) AS expected_gain,
    MAX(change_sequence) AS newest
  FROM {opportunities_latest}
  WHERE DATE(detected_at) >= @oldest_day
)
SELECT
  content.total_content,
  content.newest AS newest_content,
  keywords.total_keywords,
  keywords.avg_ranking,
  keywords.ranked_1_to_3,
  keywords.ranked_4_to_10,
  keywords.ranked_11_to_30,
  keywords.newest AS newest_keyword,
  opportunities.total_opportunities,
  opportunities.low_hanging_fruit,
  opportunities.rank_improvement,
  opportunities.content_gap,
  opportunities.expected_gain,
  opportunities.newest AS newest_opportunity
FROM content CROSS JOIN keywords CROSS JOIN opportunities
"""


class StatsQuery(Model):
    """How far the statistics look back."""

    days_back: int = Field(default=90, ge=1, le=730, description="Days, counted in UTC.", examples=[90])


class OpenOpportunities(Model):
    """New and in-progress opportunities by type."""

    low_hanging_fruit: Aged
    rank_improvement: Aged
    content_gap: Aged


class RankedKeywords(Model):
    """Keywords by where they rank."""

    ranked_1_to_3: Aged
    ranked_4_to_10: Aged
    ranked_11_to_30: Aged


class NewestChanges(Model):
    """The newest change of each kind that the warehouse has among what was counted; null where there is none."""

    content: Timestamp | None = Field(examples=["2026-01-31T12:00:00.000000Z"])
    keywords: Timestamp | None = Field(examples=["2026-01-31T12:00:00.000000Z"])
    opportunities: Timestamp | None = Field(examples=["2026-01-31T12:00:00.000000Z"])


class AsoStats(Model):
    """Statistics of a tenant (document 000, ``aso_stats``)."""

    tenant_id: str = Field(examples=["demo"])
    days_back: int = Field(examples=[90])
    total_content: Aged
    total_keywords: Aged
    total_opportunities: Aged
    avg_ranking: Aged = Field(description="Mean current rank of the keywords that rank; null where none does.")
    open_opportunities: OpenOpportunities
    ranked_keywords: RankedKeywords
    expected_gain: Aged = Field(description="Visits a month expected from all open opportunities together.")
    newest_changes: NewestChanges
    cached_at: Timestamp = Field(
        description="When the figures were computed.", examples=["2026-01-31T12:00:00.000000Z"]
    )


def stats(context: Context, query: StatsQuery) -> Cached[AsoStats]:
    """Return the statistics through the cache ``aso_stats``.

    Raises:
        Unavailable: BigQuery does not answer and the cache has nothing.
    """
    return cache.read_through(context, ASO_STATS, query.model_dump(), lambda: compute(context, query.days_back))


def compute(context: Context, days_back: int) -> AsoStats:
    """Ask the warehouse.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    now = datetime.now(UTC)
    row = rows(context, SQL, {"oldest_day": (now - timedelta(days=days_back)).date()})[0]

    def aged(name: str) -> Aged:
        return Aged(value=row[name], as_of=now)

    return AsoStats(
        tenant_id=context.tenant_id,
        days_back=days_back,
        total_content=aged("total_content"),
        total_keywords=aged("total_keywords"),
        total_opportunities=aged("total_opportunities"),
        avg_ranking=aged("avg_ranking"),
        open_opportunities=OpenOpportunities(
            low_hanging_fruit=aged("low_hanging_fruit"),
            rank_improvement=aged("rank_improvement"),
            content_gap=aged("content_gap"),
        ),
        ranked_keywords=RankedKeywords(
            ranked_1_to_3=aged("ranked_1_to_3"),
            ranked_4_to_10=aged("ranked_4_to_10"),
            ranked_11_to_30=aged("ranked_11_to_30"),
        ),
        expected_gain=aged("expected_gain"),
        newest_changes=_newest(row),
        cached_at=now,
    )


def _newest(row: Mapping[str, Any]) -> NewestChanges:
    names = {"content": "newest_content", "keywords": "newest_keyword", "opportunities": "newest_opportunity"}
    return NewestChanges(
        **{name: None if row[column] is None else moment_of(row[column]) for name, column in names.items()}
    )
