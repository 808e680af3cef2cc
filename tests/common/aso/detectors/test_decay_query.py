"""The query for decaying pages against the rules in Python, on random series."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.aso.detectors.decay_query import (
    TREND_WEEKS,
    VISITS_NEEDED,
    WINDOW_WEEKS,
    Decaying,
    days_of_weeks,
    decaying,
)
from common.aso.detectors.trend import trend_of
from common.aso.performance.models import PerformanceRow
from common.context import Context
from tests.common.aso.detectors.conftest import Recorder, emptied, fact

TODAY = date(2026, 11, 20)
NEWEST = TODAY - timedelta(days=2)
ADDRESS = "https://example.com/{}"


def calm(weeks: Sequence[int]) -> Iterator[PerformanceRow]:
    """Return a row a day of a page without visits, so that the weeks are observed."""
    for week in weeks:
        for day in range(7):
            yield fact(NEWEST - timedelta(days=7 * week + day), page=ADDRESS.format("calm"), clicks=0)


def page_rows(name: str, visits: Sequence[float | None]) -> Iterator[PerformanceRow]:
    """Return a row a week, the oldest first; None leaves the week out."""
    for week, value in zip(range(len(visits) - 1, -1, -1), visits, strict=True):
        if value is not None:
            day = NEWEST - timedelta(days=7 * week + 3)
            yield fact(day, page=ADDRESS.format(name), clicks=round(value), impressions=round(value) + 10)


def some_series(chance: random.Random) -> list[float | None]:
    """Return a series that rises, falls or does neither, with noise, ties, gaps and a beginning."""
    level, change = chance.choice([8, 40, 300]), chance.choice([0.8, 0.9, 0.96, 0.985, 1.0, 1.05])
    born = chance.choice([0, 0, 0, 3, 9])
    noise = chance.choice([0.0, 0.1, 0.5])
    return [
        None
        if week < born or chance.random() < 0.1
        else max(0.0, level * change**week * (1 + chance.uniform(-noise, noise)))
        for week in range(TREND_WEEKS)
    ]


def expected(series: Sequence[float | None], observed: set[int]) -> bool:
    """Return whether the rules find that a page decays, from its rows."""
    back = dict(zip(range(TREND_WEEKS - 1, -1, -1), series, strict=True))
    told = {week: round(value) for week, value in back.items() if value is not None and week in observed}
    if not told:
        return False
    oldest = max(observed)
    if sum(value for week, value in told.items() if week > oldest - WINDOW_WEEKS) < VISITS_NEEDED:
        return False
    weeks = range(max(told), -1, -1)
    return trend_of([float(told.get(week, 0)) if week in observed else None for week in weeks]).is_decay


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_pages_that_decay_are_those_of_the_rules(seed: int, tenant: Context, recorded: Recorder) -> None:
    emptied(tenant)
    chance = random.Random(seed)
    observed = {0, *(week for week in range(TREND_WEEKS) if chance.random() < 0.9)}
    pages = {f"page-{number}": some_series(chance) for number in range(40)}
    rows = [*calm(sorted(observed)), *(row for name, each in pages.items() for row in page_rows(name, each))]
    recorded(rows)
    found = decaying(tenant, TODAY, 1000)
    wanted = {ADDRESS.format(name) for name, series in pages.items() if expected(series, observed)}
    assert {page.page_key for page in found.pages} == wanted
    assert found.decaying == len(wanted) > 0
    assert all(trend_of(page.visits).is_decay for page in found.pages)
    few = decaying(tenant, TODAY, 1, known=[page.page_key for page in found.pages[2:]])
    assert {page.page_key for page in few.pages} == {
        found.pages[0].page_key,
        *(page.page_key for page in found.pages[2:]),
    }


def test_a_finer_cut_of_the_same_days_is_not_added_and_old_periods_are_no_weeks(
    tenant: Context, recorded: Recorder
) -> None:
    falling = [200 * 0.85**week for week in range(TREND_WEEKS)]
    by_query = [*calm(range(TREND_WEEKS)), *page_rows("falls", falling)]
    by_page = [row.model_copy(update={"query": None}) for row in by_query]
    period = fact(NEWEST, from_date=(NEWEST - timedelta(days=27)).isoformat(), query=None, clicks=10_000)
    recorded([*by_query, *by_page, period])
    [page] = decaying(tenant, TODAY, 10).pages
    assert page.visits == tuple(float(round(value)) for value in falling)


def test_without_facts_or_with_old_ones_nothing_is_said(tenant: Context, recorded: Recorder) -> None:
    assert decaying(tenant, TODAY, 10) == Decaying(newest=None, days_of_weeks=(), judged=0, decaying=0, pages=())
    recorded(calm(range(10)))
    later = decaying(tenant, TODAY + timedelta(days=29), 10)
    assert (later.newest, later.observed_weeks, later.windows) == (NEWEST, 0, None)


def test_the_newest_week_ends_on_the_newest_day() -> None:
    dates = [NEWEST - timedelta(days=number) for number in (0, 6, 7, 13, 14, 200)]
    assert days_of_weeks(NEWEST, dates)[:4] == (2, 2, 1, 0)
