"""Pages that share a search: when they are rivals, how badly, and what merging them is worth."""

from __future__ import annotations

import math
import random
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.detectors.cannibalization import (
    OBSERVED_DAYS,
    PageDay,
    conflict_of,
    inverse_herfindahl,
    merge_gain,
    shared,
)
from common.aso.gain_model.model import PRIOR_MODEL

START = date(2026, 1, 1)
DAYS = 28


def on(day: int, page: str, impressions: int = 50, clicks: int = 2, position: float = 6.0) -> PageDay:
    return PageDay(
        day=START + timedelta(days=day), page=page, impressions=impressions, clicks=clicks, position=position
    )


def taking_turns(days: int = DAYS) -> list[PageDay]:
    """Two pages, each shown on every other day, at ranks 6 and 8."""
    return [on(day, "ab"[day % 2], position=6.0 + 2 * (day % 2)) for day in range(days)]


@given(sizes=st.lists(st.integers(1, 10_000), min_size=1, max_size=20))
def test_the_severity_lies_between_one_and_the_number_of_pages(sizes: list[int]) -> None:
    found = inverse_herfindahl(sizes)
    total = sum(sizes)
    assert found == pytest.approx(float(1 / sum(Fraction(size, total) ** 2 for size in sizes)))
    assert 1 - 1e-12 <= found <= len(sizes) + 1e-9
    assert inverse_herfindahl([7] * len(sizes)) == pytest.approx(len(sizes))
    assert inverse_herfindahl([]) == 0


def test_pages_that_take_turns_are_rivals() -> None:
    found = conflict_of(taking_turns())
    assert found is not None
    assert [(rival.page, rival.share, rival.days_leading) for rival in found.rivals] == [("a", 0.5, 14), ("b", 0.5, 14)]
    assert (found.severity, found.days, found.switches) == (2.0, DAYS, DAYS - 1)
    assert (found.best_position, found.merged_position) == (6.0, 5.0)


@pytest.mark.parametrize(
    "days",
    [
        [on(day, page, 60 if page == "a" else 40) for day in range(DAYS) for page in "ab"],  # one always leads
        [on(day, "a") for day in range(DAYS)],  # one page
        [on(day, "a" if day % 14 else "b", 50 if day % 14 else 10) for day in range(DAYS)],  # hardly a share
        taking_turns(OBSERVED_DAYS - 1),
        [on(day, "ab"[day % 2], 3) for day in range(DAYS)],  # hardly shown
        [on(day, "a" if day < 14 else "b") for day in range(DAYS)],  # one took over from the other
    ],
)
def test_other_pages_are_not(days: list[PageDay]) -> None:
    assert conflict_of(days) is None


def test_days_without_data_are_no_switch() -> None:
    assert shared([on(day, "a") for day in range(0, DAYS, 3)]).switches == 0


def click_through(rank: float) -> float:
    return PRIOR_MODEL.click_through(rank)


def test_the_gain_is_that_of_the_formula_where_the_pages_alternate() -> None:
    """V (ctr(min rank - delta) - sum s_i ctr(k_i)), each search showing one of the pages."""
    found = merge_gain(taking_turns(), ["a", "b"], click_through, DAYS)
    searches = 50 * 30
    assert found.searches == searches
    apart = 0.5 * click_through(6) + 0.5 * click_through(8)
    assert found.visits == pytest.approx(searches * (click_through(5) - apart))
    assert found.low < found.visits < found.high


def test_a_search_that_shows_both_pages_is_one_search() -> None:
    """Two listings catch more than one would: there is nothing to win by merging."""
    found = merge_gain([on(day, page) for day in range(DAYS) for page in "ab"], ["a", "b"], click_through, DAYS)
    assert found.searches == 50 * 30
    assert found.visits == pytest.approx(50 * 30 * (click_through(5) - 2 * click_through(6)))
    assert found.visits < 0


def test_days_on_which_nobody_searched_count_as_days() -> None:
    some = merge_gain(taking_turns(14), ["a", "b"], click_through, DAYS)
    every = merge_gain(taking_turns(14), ["a", "b"], click_through, 14)
    assert some.visits == pytest.approx(every.visits / 2)


DAY_LISTS = st.lists(
    st.builds(
        on,
        day=st.integers(0, DAYS - 1),
        page=st.sampled_from("abcd"),
        impressions=st.integers(1, 200),
        clicks=st.integers(0, 1),
        position=st.floats(1, 30),
    ),
    min_size=1,
    unique_by=lambda each: (each.day, each.page),
)


@given(days=DAY_LISTS, seed=st.integers())
def test_neither_order_nor_repetition_changes_anything(days: list[PageDay], seed: int) -> None:
    mixed = list(days)
    random.Random(seed).shuffle(mixed)
    assert conflict_of(mixed) == conflict_of(days) or all(
        one.page == other.page and math.isclose(one.position, other.position)
        for one, other in zip(shared(mixed).rivals, shared(days).rivals, strict=True)
    )
    pages = sorted({each.page for each in days})
    one, other = (merge_gain(each, pages, click_through, DAYS) for each in (days, mixed))
    assert one.visits == pytest.approx(other.visits, rel=1e-9, abs=1e-9)
    assert one.deviation == pytest.approx(other.deviation, rel=1e-6, abs=1e-6)


@given(days=DAY_LISTS)
def test_shares_are_shares_and_the_interval_holds_the_estimate(days: list[PageDay]) -> None:
    found = shared(days)
    assert sum(rival.share for rival in found.rivals) <= 1 + 1e-9
    assert all(rival.share > 0.1 for rival in found.rivals)
    assert 0 <= found.switches <= max(0, found.days - 1)
    gain = merge_gain(days, [rival.page for rival in found.rivals], click_through, DAYS)
    assert gain.low <= gain.visits <= gain.high


def test_the_jackknife_is_that_of_its_definition() -> None:
    days = [on(day, "ab"[day % 2], 20 + 7 * (day % 5), position=5.0 + day % 3) for day in range(12)]

    def without(skip: int | None) -> float:
        kept = [each for each in days if skip is None or each.day != START + timedelta(days=skip)]
        return merge_gain(kept, ["a", "b"], click_through, 12 if skip is None else 11).visits

    values = [without(skip) for skip in range(12)]
    mean = sum(values) / 12
    expected = math.sqrt(11 / 12 * sum((value - mean) ** 2 for value in values))
    assert merge_gain(days, ["a", "b"], click_through, 12).deviation == pytest.approx(expected)
