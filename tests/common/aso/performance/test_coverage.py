"""Which rows are added up: no day twice, as many days as there can be, the exact cut first."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.performance.coverage import Portion, choose, ranges
from common.aso.performance.models import SPLITS, PerformanceRow, SplitBy, dimensions_of

START = date(2026, 1, 1)


def portion(first: int, days: int = 1, *splits: SplitBy, source: str = "api", newest: int = 1) -> Portion:
    """Return a portion that begins on the ``first`` day of the year's first month."""
    begin = START + timedelta(days=first - 1)
    return Portion(
        site=None,
        source=source,
        dimensions=dimensions_of(set(splits)),
        first=begin,
        last=begin + timedelta(days=days - 1),
        newest=newest,
    )


PORTIONS = st.lists(
    st.builds(
        lambda first, days, splits, source, newest: portion(first, days, *splits, source=source, newest=newest),
        st.integers(1, 9),
        st.sampled_from([1, 1, 1, 2, 3, 7]),
        st.sets(st.sampled_from(SPLITS), max_size=2),
        st.sampled_from(["api", "export"]),
        st.integers(1, 3),
    ),
    max_size=9,
)
NEEDED: st.SearchStrategy[set[SplitBy]] = st.sets(st.sampled_from(SPLITS), max_size=1)


def days_of(portions: list[Portion]) -> list[date]:
    return [each.first + timedelta(days=offset) for each in portions for offset in range(each.days)]


@given(PORTIONS, NEEDED, st.booleans())
def test_no_day_counts_twice_and_no_choice_covers_more(
    portions: list[Portion], needed: set[SplitBy], daily: bool
) -> None:
    chosen = choose(portions, needed, daily=daily)
    days = days_of(chosen)
    assert len(days) == len(set(days))
    assert days == sorted(days)
    fitting = [each for each in portions if each.splits >= needed and (each.days == 1 or not daily)]
    assert set(chosen) <= set(fitting)
    most = 0
    for size in range(1, min(len(fitting), 4) + 1):
        for some in itertools.combinations(fitting, size):
            covered = days_of(list(some))
            if len(covered) == len(set(covered)):
                most = max(most, len(covered))
    assert len(days) >= most


@given(PORTIONS, NEEDED, st.randoms())
def test_the_order_of_the_rows_changes_nothing(portions: list[Portion], needed: set[SplitBy], random: object) -> None:
    shuffled = list(portions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = choose(portions, needed), choose(shuffled, needed)
    assert [each.key for each in one] == [each.key for each in other]


def test_the_cut_with_the_fewest_splits_is_the_most_exact() -> None:
    cuts = [portion(1, 1, "query", "page", "device"), portion(1, 1, "device"), portion(1, 1, "page", "device")]
    assert [each.dimensions for each in choose(cuts, set())] == ["device"]
    assert [each.dimensions for each in choose(cuts, {"page"})] == ["page+device"]
    assert [each.dimensions for each in choose(cuts, {"query"})] == ["query+page+device"]
    assert choose(cuts, {"country"}) == []


def test_days_win_over_a_period_that_covers_no_more() -> None:
    days = [portion(day) for day in range(1, 4)]
    assert choose([*days, portion(1, 3, source="export")], set()) == days
    longer = portion(1, 4, source="export")
    assert choose([*days, longer], set()) == [longer], "a period that covers more is worth more"
    assert choose([*days, longer], set(), daily=True) == days


def test_of_two_exports_that_overlap_one_counts() -> None:
    older, newer = portion(1, 7, "query", newest=1), portion(3, 7, "query", newest=2)
    assert choose([older, newer], {"query"}) == [newer]
    assert choose([older, newer, portion(8, 7, "query")], {"query"}) == [older, portion(8, 7, "query")]


def test_consecutive_portions_are_told_as_one_range() -> None:
    told = ranges([portion(1), portion(2), portion(4), portion(5, 2, source="export")])
    assert [(source, str(first), str(last)) for source, _, first, last in told] == [
        ("api", "2026-01-01", "2026-01-02"),
        ("api", "2026-01-04", "2026-01-04"),
        ("export", "2026-01-05", "2026-01-06"),
    ]


def test_a_row_names_its_cut() -> None:
    figures = {"date": "2026-01-31", "clicks": 1, "impressions": 2, "source": "test"}
    assert PerformanceRow.model_validate(figures).dimensions == "total"
    row = PerformanceRow.model_validate(figures | {"country": "USA", "query": " shoes "})
    assert (row.dimensions, row.country, row.query) == ("query+country", "usa", "shoes")
    with pytest.raises(ValueError, match="begins before it ends"):
        PerformanceRow.model_validate(figures | {"from_date": "2026-02-01"})
