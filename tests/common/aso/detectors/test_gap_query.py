"""The query for content gaps against the rules in Python."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.aso.detectors import content_gap
from common.aso.detectors.gap_query import gaps
from common.aso.models import CompetitorRanking
from common.context import Context
from tests.common.aso.scan.conftest import Warehouse, keyword

NOW = datetime.now(UTC)
TODAY = NOW.date()
COMPETITORS = ("example.org", "example.net", "third.example")
HOSTS = ["example.org", "www.example.org", "blog.example.net", "https://Example.net/x", "third.example", "other.org"]


@pytest.fixture
def warehouse(tenant: Context) -> Warehouse:
    """The tenant's tables."""
    return Warehouse(tenant)


def some_fields(chance: random.Random) -> dict[str, Any]:
    """Return fields of a keyword, often at the edges of the rules."""
    rankings = [
        CompetitorRanking(competitor=chance.choice(HOSTS), position=chance.choice([None, 1, 4, 10, 11, 90]))
        for _ in range(chance.randint(0, 5))
    ]
    age = chance.choice([None, 0, 89, 90, 91, 400])
    return {
        "search_volume": chance.choice([None, 0, 10, 5000]),
        "observed_impressions": chance.choice([None, 700]),
        "observed_days": chance.choice([None, 7]),
        "current_ranking": chance.choice([None, 1, 29, 30, 31, 60]),
        "competitor_rankings": rankings,
        "last_checked": None if age is None else NOW - timedelta(days=age),
    }


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_gaps_and_what_nobody_checked_are_those_of_the_rules(seed: int, tenant: Context, warehouse: Warehouse) -> None:
    chance = random.Random(seed)
    values = [keyword(tenant, f"keyword {number}", **some_fields(chance)) for number in range(150)]
    warehouse.keywords(*values)
    found = gaps(tenant, COMPETITORS, TODAY, 1000)
    standing = {each.keyword_id: content_gap.standing(each, frozenset(COMPETITORS), TODAY) for each in values}
    assert set(found.gap_ids) == {name for name, state in standing.items() if state == "gap"}
    assert found.gaps == len(found.gap_ids) > 0
    assert found.unchecked == sum(state == "unchecked" for state in standing.values()) > 0
