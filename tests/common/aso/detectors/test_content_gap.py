"""Content gaps at the edges of their rules, three-valued, and what this tenant converts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.detectors.content_gap import (
    WEIGHT_WITHIN,
    Conversion,
    conversion_weight,
    rivals_of,
    standing,
    why_not,
)
from common.aso.models import CompetitorRanking
from tests.common.aso.scan.test_rules import keyword

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)
TODAY = NOW.date()
COMPETITORS = frozenset({"example.org", "example.net"})


def rankings(**positions: int | None) -> list[CompetitorRanking]:
    hosts = {"org": "example.org", "blog": "blog.example.org", "net": "www.example.net", "other": "other.com"}
    return [CompetitorRanking(competitor=hosts[name], position=position) for name, position in positions.items()]


def gap(**fields: Any) -> Any:
    values = {"current_ranking": None, "competitor_rankings": rankings(org=3, net=10), "last_checked": NOW} | fields
    return keyword(**values)


@pytest.mark.parametrize(
    ("fields", "state", "reason"),
    [
        ({}, "gap", None),
        ({"current_ranking": 31}, "gap", None),
        ({"current_ranking": 30}, "covered", "own_page_ranks"),
        ({"last_checked": None}, "unchecked", "not_checked_in_90_days"),
        ({"last_checked": NOW - timedelta(days=90)}, "gap", None),
        ({"last_checked": NOW - timedelta(days=91)}, "unchecked", "not_checked_in_90_days"),
        ({"competitor_rankings": rankings(org=3, net=11)}, "covered", "fewer_competitors_rank"),
        ({"competitor_rankings": rankings(org=3, net=None)}, "covered", "fewer_competitors_rank"),
        ({"competitor_rankings": rankings(org=3, blog=4)}, "covered", "fewer_competitors_rank"),  # one and the same
        ({"competitor_rankings": rankings(org=3, other=4)}, "covered", "fewer_competitors_rank"),
        ({"competitor_rankings": rankings(org=11, blog=4, net=9)}, "gap", None),
    ],
)
def test_what_is_a_gap_and_what_nobody_knows(fields: dict[str, Any], state: str, reason: str | None) -> None:
    value = gap(**fields)
    assert standing(value, COMPETITORS, TODAY) == state
    assert why_not(value, COMPETITORS, TODAY) == reason


def test_why_it_is_none_without_keyword_or_competitors() -> None:
    assert why_not(None, COMPETITORS, TODAY) == "keyword_deleted"
    assert why_not(gap(), frozenset(), TODAY) == "competitors_not_set"


def test_a_competitor_counts_once_with_its_best_position() -> None:
    value = gap(competitor_rankings=rankings(blog=2, org=7, net=5))
    assert rivals_of(value, COMPETITORS) == {"example.org": 2, "example.net": 5}


CONVERSIONS = st.dictionaries(
    st.sampled_from(["informational", "commercial", "transactional"]),
    st.builds(Conversion, visits=st.integers(0, 10**6), conversions=st.floats(0, 1e4)),
)


@given(known=CONVERSIONS, intent=st.sampled_from(["informational", "commercial", None]))
def test_the_weight_is_bounded_and_none_where_nothing_is_known(
    known: dict[str, Conversion], intent: str | None
) -> None:
    weight = conversion_weight(intent, known)
    if intent is None or not sum(each.conversions for each in known.values()):
        assert weight is None
    if weight is not None:
        assert 1 / WEIGHT_WITHIN <= weight <= WEIGHT_WITHIN


def test_an_intent_that_converts_better_weighs_more_and_little_data_weighs_little() -> None:
    many = {
        "transactional": Conversion(visits=100_000, conversions=4000),
        "informational": Conversion(visits=900_000, conversions=1000),
    }
    assert conversion_weight("transactional", many) == WEIGHT_WITHIN
    weight = conversion_weight("informational", many)
    assert weight is not None
    assert weight == pytest.approx(0.25, abs=0.03)
    few = {
        "transactional": Conversion(visits=10, conversions=10),
        "informational": Conversion(visits=990, conversions=0),
    }
    weight = conversion_weight("transactional", few)
    assert weight is not None
    assert weight == pytest.approx((10 + 1000 * 0.01) / 1010 / 0.01)
    assert conversion_weight("commercial", many) == 1.0
