"""The rules of membership, and why an opportunity no longer holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.aso.models import Keyword, Opportunity
from common.aso.opportunities import opportunity_id_of
from common.aso.opportunity_rules import classify, demand_of, why_not

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)
TODAY = NOW.date()


def opportunity(keyword: Keyword, **fields: Any) -> Opportunity:
    """Return an opportunity of a keyword that holds, as a scan would have made it."""
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "opportunity_type": "low_hanging_fruit",
        "tenant_id": keyword.tenant_id,
        "keyword": keyword.keyword,
        "keyword_id": keyword.keyword_id,
        "demand_basis": "search_volume",
        "expected_gain": 10.0,
        "detected_at": now,
        "created_at": now,
        "episode": 1,
    } | fields
    name = opportunity_id_of(keyword.tenant_id, values["opportunity_type"], values["keyword_id"], values["episode"])
    return Opportunity(opportunity_id=name, **values)


def keyword(**fields: Any) -> Keyword:
    values: dict[str, Any] = {
        "keyword_id": "k",
        "tenant_id": "demo",
        "keyword": "k",
        "keyword_normalized": "k",
        "priority": "tier1",
        "search_volume": 2400,
        "difficulty_score": 20.0,
        "current_ranking": 14,
        "last_checked": NOW,
        "created_at": NOW,
    } | fields
    return Keyword(**values)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, "low_hanging_fruit"),
        ({"current_ranking": 11}, "low_hanging_fruit"),
        ({"current_ranking": 30}, "low_hanging_fruit"),
        ({"difficulty_score": 0.0}, "low_hanging_fruit"),
        ({"difficulty_score": 50.0}, None),
        ({"search_volume": 100}, None),
        ({"current_ranking": 31}, None),
        ({"current_ranking": 10}, "rank_improvement"),
        ({"current_ranking": 10, "difficulty_score": 90.0}, "rank_improvement"),
        ({"current_ranking": 4, "difficulty_score": None}, "rank_improvement"),
        ({"current_ranking": 3}, None),
        ({"difficulty_score": None}, "rank_improvement"),
        ({"search_volume": None}, None),
        ({"search_volume": None, "observed_impressions": 100}, None),
        ({"search_volume": None, "observed_impressions": 101}, "rank_improvement"),
        ({"search_volume": 5, "observed_impressions": 9000}, None),
        ({"current_ranking": None}, None),
        ({"last_checked": None}, None),
        ({"last_checked": datetime(2026, 4, 17, tzinfo=UTC)}, "low_hanging_fruit"),
        ({"last_checked": datetime(2026, 4, 16, 23, 59, 59, tzinfo=UTC)}, None),
    ],
)
def test_membership_at_its_edges(fields: dict[str, Any], kind: str | None) -> None:
    assert classify(keyword(**fields), TODAY) == kind


@pytest.mark.parametrize(
    ("fields", "kind", "reason"),
    [
        ({}, "low_hanging_fruit", None),
        ({"current_ranking": 10}, "low_hanging_fruit", "rank_left_11_to_30"),
        ({"current_ranking": 31}, "low_hanging_fruit", "rank_left_11_to_30"),
        ({"current_ranking": None}, "low_hanging_fruit", "rank_unknown"),
        ({"difficulty_score": 50.0}, "low_hanging_fruit", "difficulty_not_below_50"),
        ({"difficulty_score": None}, "low_hanging_fruit", "difficulty_unknown"),
        ({"search_volume": 100}, "low_hanging_fruit", "volume_not_above_100"),
        ({"search_volume": None}, "low_hanging_fruit", "volume_unknown"),
        ({"last_checked": NOW - timedelta(days=31)}, "low_hanging_fruit", "not_checked_in_30_days"),
        ({}, "rank_improvement", "replaced_by_low_hanging_fruit"),
        ({"current_ranking": 3}, "rank_improvement", "rank_left_4_to_30"),
        ({"search_volume": 7, "current_ranking": 7}, "rank_improvement", "volume_not_above_100"),
        (
            {"search_volume": None, "observed_impressions": 3, "current_ranking": 7},
            "rank_improvement",
            "impressions_not_above_100",
        ),
        ({"difficulty_score": 60.0}, "rank_improvement", "difficulty_not_below_50"),
    ],
)
def test_the_first_condition_that_fails_is_the_reason(fields: dict[str, Any], kind: Any, reason: str | None) -> None:
    assert why_not(keyword(**fields), kind, TODAY) == reason


def test_a_deleted_keyword_is_a_reason_of_its_own() -> None:
    assert why_not(None, "low_hanging_fruit", TODAY) == "keyword_deleted"


def test_observed_demand_is_brought_to_a_month_and_a_floor_where_the_period_is_unknown() -> None:
    week, unknown = (
        demand_of(keyword(search_volume=None, observed_impressions=700, observed_days=days)) for days in (7, None)
    )
    assert week is not None
    assert unknown is not None
    assert (week.monthly, week.basis, week.period_known) == (3000, "observed_impressions", True)
    assert (round(unknown.monthly, 2), unknown.period_known) == (43.12, False)
    known = demand_of(keyword(observed_impressions=700))
    assert known is not None
    assert (known.monthly, known.basis) == (2400, "search_volume")
