"""The query for searches that pages share against the rules in Python, on random days."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.aso.detectors.cannibalization import WINDOW_DAYS, PageDay, conflict_of, shared
from common.aso.detectors.cannibalization_query import shared_searches
from common.aso.normalize import keyword_id_of
from common.aso.performance.models import PerformanceRow
from common.context import Context
from tests.common.aso.detectors.conftest import Recorder, emptied, fact

TODAY = date(2026, 11, 20)
NEWEST = TODAY - timedelta(days=3)


def row_of(query: str, each: PageDay) -> PerformanceRow:
    return fact(
        each.day,
        query=query,
        page=each.page,
        clicks=each.clicks,
        impressions=each.impressions,
        position=each.position,
    )


def some_days(chance: random.Random) -> list[PageDay]:
    """Return days of one search: pages of different sizes, of which another one leads now and then."""
    sizes = {f"https://example.com/{name}": chance.choice([1, 9, 30, 40]) for name in "abc"[: chance.randint(1, 3)]}
    wild = chance.choice([0, 3, 40])
    return [
        PageDay(
            day=NEWEST - timedelta(days=back),
            page=page,
            impressions=max(1, size + chance.randint(-wild, wild)),
            clicks=chance.randint(0, 1),
            position=chance.choice([1.0, 4.5, 12.25]),
        )
        for back in range(chance.choice([9, 12, 30]))
        for page, size in sizes.items()
        if chance.random() < 0.7
    ]


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_shared_searches_are_those_of_the_rules(seed: int, tenant: Context, recorded: Recorder) -> None:
    emptied(tenant)
    chance = random.Random(seed)
    searches = {f"search {number}": some_days(chance) for number in range(40)}
    recorded(row_of(query, each) for query, days in searches.items() for each in days)
    first = max(each.day for days in searches.values() for each in days) - timedelta(days=WINDOW_DAYS - 1)
    searches = {query: [each for each in days if each.day >= first] for query, days in searches.items()}
    wanted = {query: found for query, days in searches.items() if (found := conflict_of(days)) is not None}
    told = shared_searches(tenant, TODAY, 100)
    assert {each.query for each in told.searches} == set(wanted)
    assert told.flagged == len(wanted) > 0
    for each in told.searches:
        assert each.severity == pytest.approx(wanted[each.query].severity)
        assert each.switches == wanted[each.query].switches
        assert shared(each.days) == shared(sorted(searches[each.query], key=lambda day: (day.day, day.page)))


def test_spellings_of_a_search_are_one_and_known_ones_come_whatever_their_size(
    tenant: Context, recorded: Recorder
) -> None:
    def turns(query: str, impressions: int) -> list[PerformanceRow]:
        return [
            row_of(
                query.upper() if back % 3 else query,
                PageDay(
                    day=NEWEST - timedelta(days=back),
                    page=f"https://example.com/{'ab'[back % 2]}",
                    impressions=impressions,
                    clicks=1,
                    position=3.0,
                ),
            )
            for back in range(WINDOW_DAYS)
        ]

    recorded([*turns("large", 90), *turns("small", 9)])
    told = shared_searches(tenant, TODAY, 1)
    assert [(each.query.lower(), each.switches) for each in told.searches] == [("large", WINDOW_DAYS - 1)]
    assert (told.flagged, told.observed_days, told.newest) == (2, WINDOW_DAYS, NEWEST)
    small = keyword_id_of(tenant.tenant_id, "small")
    assert small in {each.keyword_id for each in shared_searches(tenant, TODAY, 1, known=[small]).searches}
