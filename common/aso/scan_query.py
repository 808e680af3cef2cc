"""The scan's question to the warehouse: which opportunities are to be made, which no longer hold, how many still do.

One query per tenant does it as sets: it reads the keywords checked in the last 30 days (the partitions of
``keywords_latest``), decides their type, looks the expected gain up in a table of rank and difficulty that it computes
once from the tenant's gain model, joins the opportunities known, and returns the *difference* only: at most ``limit``
to create, to close and to compute afresh (new ones whose gain moved far), those with the most to gain first, and the
number of all. What still holds is counted and never returned, so the answer is as small for a million keywords as for
a thousand.

The rules are those of ``common.aso.opportunity_rules``; tests hold both against each other on random keywords.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, cast

from common.aso import gain, opportunity_rules
from common.aso.gain_model.curve_query import brand_pattern, branded
from common.aso.gain_model.model import PRIOR_MODEL, GainModel, Segment
from common.aso.models import OpportunityType
from common.aso.opportunities import REFRESH_SHARE, REFRESH_VISITS
from common.context import Context
from common.warehouse.query import Typed, rows

DIFFERENCES_AT_MOST = 10_000
"""Largest limit: a difference is about 200 bytes, and the answer is held in memory."""

PATIENCE = 120.0
"""Seconds the query may take where the deadline allows: a million keywords take a few."""

SQL = f"""\
WITH curve AS (
  SELECT FALSE AS branded, click_through, position + 1 AS ranking
  FROM UNNEST(@click_through) AS click_through WITH OFFSET AS position
  UNION ALL
  SELECT TRUE AS branded, click_through, position + 1 AS ranking
  FROM UNNEST(@brand_click_through) AS click_through WITH OFFSET AS position
),
steps AS (
  SELECT
    here.branded,
    here.ranking AS current_ranking,
    there.ranking AS reachable_ranking,
    difficulty_point,
    (there.click_through - here.click_through) / (
      1 + EXP(
        @reach_per_difficulty * difficulty_point
        + @reach_per_log_rank * LN(here.ranking / there.ranking)
        - @reach_intercept
      )
    ) AS unit_gain
  FROM curve AS here
  JOIN curve AS there
    ON there.branded = here.branded AND there.ranking < here.ranking AND there.ranking <= @best_candidates
  CROSS JOIN UNNEST(GENERATE_ARRAY(0, 100)) AS difficulty_point
),
best AS (
  SELECT branded, current_ranking, difficulty_point, reachable_ranking, unit_gain
  FROM steps
  WHERE unit_gain > 0
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY branded, current_ranking, difficulty_point ORDER BY unit_gain DESC, reachable_ranking DESC
  ) = 1
),
checked AS (
  SELECT
    keyword_id,
    COALESCE({branded("keyword")}, FALSE) AS branded,
    last_checked,
    current_ranking,
    search_volume,
    difficulty_score,
    observed_impressions,
    COALESCE(
      search_volume, observed_impressions * @month_days / COALESCE(observed_days, @longest_export_days)
    ) AS demand,
    COALESCE(CAST(FLOOR(difficulty_score + 0.5) AS INT64), @neutral_difficulty) AS difficulty_point
  FROM {{keywords_latest}}
  WHERE DATE(last_checked) >= @oldest_day
    AND current_ranking >= @improvement_best_rank
    AND current_ranking <= @fruit_worst_rank
),
members AS (
  SELECT
    keyword_id,
    branded,
    last_checked,
    current_ranking,
    difficulty_point,
    demand,
    CASE
      WHEN search_volume IS NULL AND observed_impressions > @impressions_above THEN 'rank_improvement'
      WHEN search_volume > @volume_above AND (current_ranking <= @first_page_end OR difficulty_score IS NULL)
        THEN 'rank_improvement'
      WHEN search_volume > @volume_above AND difficulty_score < @difficulty_below THEN 'low_hanging_fruit'
    END AS opportunity_type
  FROM checked
),
wanted AS (
  SELECT
    members.keyword_id,
    members.opportunity_type,
    members.last_checked,
    best.reachable_ranking,
    members.demand * best.unit_gain AS expected_gain
  FROM members
  JOIN best
    ON best.branded = members.branded
    AND best.current_ranking = members.current_ranking
    AND best.difficulty_point = members.difficulty_point
  WHERE members.opportunity_type IS NOT NULL
),
known AS (
  SELECT
    keyword_id,
    opportunity_type,
    MAX(episode) AS episode,
    MAX(IF(holds, opportunity_id, NULL)) AS opportunity_id,
    MAX(IF(holds AND status = 'new', COALESCE(expected_gain, 0), NULL)) AS stored_gain,
    MAX(IF(holds, expected_value_minor, NULL)) AS stored_value,
    MAX(IF(holds, currency, NULL)) AS stored_currency
  FROM {{opportunities_latest}}
  WHERE opportunity_type IN UNNEST(@scanned_types)
  GROUP BY keyword_id, opportunity_type
),
compared AS (
  SELECT
    COALESCE(wanted.keyword_id, known.keyword_id) AS keyword_id,
    COALESCE(wanted.opportunity_type, known.opportunity_type) AS opportunity_type,
    known.opportunity_id AS opportunity_id,
    COALESCE(known.episode, 0) AS episode,
    wanted.last_checked AS last_checked,
    wanted.reachable_ranking AS reachable_ranking,
    COALESCE(wanted.expected_gain, 0) AS expected_gain,
    CASE
      WHEN wanted.keyword_id IS NULL THEN 'close'
      WHEN known.opportunity_id IS NULL THEN 'create'
      WHEN known.stored_gain IS NULL THEN 'keep'
      WHEN ABS(ROUND(wanted.expected_gain, 2) - known.stored_gain)
        > GREATEST(@refresh_share * ABS(known.stored_gain), @refresh_visits) THEN 'refresh'
      WHEN COALESCE(known.stored_currency, '') != COALESCE(@currency, '') THEN 'refresh'
      WHEN ABS(wanted.expected_gain * @value_per_visit - COALESCE(known.stored_value, 0))
        > @refresh_share * COALESCE(known.stored_value, 0) + @value_per_visit THEN 'refresh'
      ELSE 'keep'
    END AS action
  FROM wanted
  FULL JOIN known
    ON known.keyword_id = wanted.keyword_id AND known.opportunity_type = wanted.opportunity_type
  WHERE wanted.keyword_id IS NOT NULL OR known.opportunity_id IS NOT NULL
)
SELECT
  action,
  COUNT(*) AS number,
  DATE(MIN(last_checked)) AS oldest_check,
  IF(
    action = 'keep',
    NULL,
    ARRAY_AGG(
      STRUCT(
        keyword_id AS keyword_id,
        opportunity_type AS opportunity_type,
        opportunity_id AS opportunity_id,
        episode AS episode,
        reachable_ranking AS reachable_ranking,
        expected_gain AS expected_gain
      )
      ORDER BY expected_gain DESC, keyword_id
      LIMIT @limit
    )
  ) AS differences
FROM compared
GROUP BY action
"""  # noqa: S608 - put together from constants
"""Model and rules are parameters. ``@limit`` is put into the text: BigQuery takes no parameter there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One opportunity to create, to close or to compute afresh.

    Attributes:
        keyword_id: Its keyword.
        opportunity_type: Its type.
        opportunity_id: The one known to hold; None where there is none.
        episode: Newest episode the warehouse knows of; 0 if there was none.
        reachable_ranking: Rank aimed at; None for one to close.
        expected_gain: Visits a month; 0 for one to close.
    """

    keyword_id: str
    opportunity_type: OpportunityType
    opportunity_id: str | None
    episode: int
    reachable_ranking: int | None
    expected_gain: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Differences:
    """What the warehouse's keywords and opportunities differ in.

    Attributes:
        create: Opportunities to make, the greatest gain first, at most the limit.
        close: Opportunities that no longer hold, at most the limit.
        refresh: Known ones whose figures moved too far from what is stored, at most the limit.
        creatable: All that are to be made.
        closable: All that no longer hold.
        refreshable: All whose figures moved too far.
        kept: Those that hold and are known, whatever their figures.
        oldest_check: Earliest day, UTC, on which a keyword was last checked of which something holds or is to be made;
        None where nothing does. Once that day no longer counts, something ends although nothing changed.
    """

    create: Sequence[Difference]
    close: Sequence[Difference]
    refresh: Sequence[Difference]
    creatable: int
    closable: int
    refreshable: int
    kept: int
    oldest_check: date | None


def statement(limit: int) -> str:
    """Return the text of the query."""
    return SQL.replace("@limit", str(min(max(int(limit), 1), DIFFERENCES_AT_MOST)))


def parameters(today: date, model: GainModel) -> dict[str, object]:
    """Return the tenant's model and the rules as query parameters.

    Without brand terms no search counts as one for the brand, and the first curve is that of all searches.
    """
    plain = Segment(brand=False) if model.brand_terms else Segment()
    return {
        "click_through": list(model.curve(plain).click_through),
        "brand_click_through": list(model.curve(Segment(brand=True)).click_through),
        "brand_pattern": brand_pattern(model.brand_terms),
        "best_candidates": gain.BEST_CANDIDATES,
        "neutral_difficulty": gain.NEUTRAL_DIFFICULTY,
        "reach_intercept": model.coefficients.intercept,
        "reach_per_difficulty": model.coefficients.per_difficulty,
        "reach_per_log_rank": model.coefficients.per_log_rank,
        "refresh_share": REFRESH_SHARE,
        "refresh_visits": REFRESH_VISITS,
        "value_per_visit": Typed("INT64", model.value_per_visit_minor),
        "currency": Typed("STRING", model.currency if model.value_per_visit_minor is not None else None),
        "scanned_types": list(opportunity_rules.SCANNED_TYPES),
        "oldest_day": opportunity_rules.oldest_day(today),
        "month_days": opportunity_rules.MONTH_DAYS,
        "longest_export_days": opportunity_rules.LONGEST_EXPORT_DAYS,
        "improvement_best_rank": opportunity_rules.IMPROVEMENT_BEST_RANK,
        "first_page_end": opportunity_rules.FIRST_PAGE_END,
        "fruit_worst_rank": opportunity_rules.FRUIT_WORST_RANK,
        "volume_above": opportunity_rules.VOLUME_ABOVE,
        "impressions_above": opportunity_rules.IMPRESSIONS_ABOVE,
        "difficulty_below": opportunity_rules.DIFFICULTY_BELOW,
    }


def differences(context: Context, today: date, limit: int, model: GainModel = PRIOR_MODEL) -> Differences:
    """Ask the warehouse.

    Args:
        context: Tenant, clients and deadline.
        today: Day of the scan, UTC.
        limit: Differences of each kind at most.
        model: What the gains are computed with.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    answer = rows(context, statement(limit), parameters(today, model), timeout=PATIENCE)
    found = {str(row["action"]): row for row in answer}

    def number(action: Literal["create", "close", "refresh", "keep"]) -> int:
        return int(found[action]["number"]) if action in found else 0

    oldest = [found[action]["oldest_check"] for action in ("create", "refresh", "keep") if action in found]
    return Differences(
        create=_listed(found.get("create")),
        close=_listed(found.get("close")),
        refresh=_listed(found.get("refresh")),
        creatable=number("create"),
        closable=number("close"),
        refreshable=number("refresh"),
        kept=number("keep") + number("refresh"),
        oldest_check=min(oldest, default=None),
    )


def _listed(row: Mapping[str, Any] | None) -> list[Difference]:
    if row is None:
        return []
    return [
        Difference(
            keyword_id=each["keyword_id"],
            opportunity_type=cast("OpportunityType", each["opportunity_type"]),
            opportunity_id=each["opportunity_id"],
            episode=int(each["episode"]),
            reachable_ranking=each["reachable_ranking"],
            expected_gain=float(each["expected_gain"]),
        )
        for each in row["differences"]
    ]
