"""Mann-Kendall and Sen against brute force, and what makes a series decay."""

from __future__ import annotations

import itertools
import math
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.detectors.trend import (
    mann_kendall_score,
    p_value_of,
    score_variance,
    sen_slope,
    trend_of,
)

VALUES = st.lists(st.integers(0, 12), min_size=0, max_size=24)
SERIES = st.lists(st.one_of(st.none(), st.integers(0, 500)), max_size=30)


@given(values=VALUES)
def test_the_score_counts_rising_pairs_less_falling_ones(values: list[int]) -> None:
    score = 0
    for first in range(len(values)):
        for second in range(first + 1, len(values)):
            if values[second] > values[first]:
                score += 1
            elif values[second] < values[first]:
                score -= 1
    assert mann_kendall_score(values) == score
    assert mann_kendall_score(values[::-1]) == -score


@pytest.mark.parametrize("values", [[1, 2, 3, 4, 5], [1, 1, 2, 3, 3], [2, 2, 2, 1], [5, 5, 5, 5, 1, 1]])
def test_the_variance_is_that_over_all_orders(values: list[int]) -> None:
    """The formula with the correction for ties, against every permutation, of which each is as likely without trend."""
    scores = [mann_kendall_score(order) for order in itertools.permutations(values)]
    assert math.fsum(scores) == 0
    assert score_variance(values) == pytest.approx(math.fsum(score**2 for score in scores) / len(scores))


@given(values=st.lists(st.integers(0, 50), min_size=4, max_size=7))
def test_the_p_value_is_near_the_exact_one(values: list[int]) -> None:
    """Permutations give the exact two-sided probability; the normal approximation stays close to it."""
    score = mann_kendall_score(values)
    scores = [mann_kendall_score(order) for order in itertools.permutations(values)]
    exact = sum(abs(each) >= abs(score) for each in scores) / len(scores)
    assert p_value_of(score, values) == pytest.approx(exact, abs=0.14)


@given(values=st.lists(st.floats(-100, 100), min_size=2, max_size=20))
def test_sens_slope_is_the_median_of_all_slopes(values: list[float]) -> None:
    slopes = [
        (values[second] - values[first]) / (second - first)
        for first in range(len(values))
        for second in range(first + 1, len(values))
    ]
    assert sen_slope(list(enumerate(values))) == pytest.approx(median(slopes))


@given(series=SERIES, missing=st.integers(0, 5))
def test_weeks_missing_at_the_ends_change_nothing(series: list[int | None], missing: int) -> None:
    padded = [None] * missing + series + [None] * missing
    assert trend_of(padded) == trend_of(series)


@given(series=SERIES)
def test_no_trend_is_stated_of_fewer_than_two_weeks_and_probabilities_are_probabilities(
    series: list[int | None],
) -> None:
    found = trend_of(series)
    assert 0 <= found.p_value <= 1
    assert found.weekly_change > -1
    if found.weeks < 2:
        assert (found.score, found.p_value, found.weekly_change) == (0, 1.0, 0.0)


def test_a_missing_week_is_not_a_week_without_visits() -> None:
    steady = [100.0] * 12
    holes: list[float | None] = [100.0, None, 100.0, None, 100.0, 100.0, None, None, 100.0, 100.0, 100.0, 100.0]
    zeros = [value or 0.0 for value in holes]
    assert trend_of(holes).weekly_change == trend_of(steady).weekly_change == 0
    assert trend_of(holes).weeks == 8
    assert trend_of(zeros).weeks == 12


def test_gaps_keep_their_distance() -> None:
    every = [1000 * 0.9**week for week in range(16)]
    some: list[float | None] = [value if week % 2 else None for week, value in enumerate(every)]
    assert trend_of(some).weekly_change == pytest.approx(trend_of(every).weekly_change, rel=0.02)
    assert trend_of(every).weekly_change == pytest.approx(-0.1, abs=0.002)


@pytest.mark.parametrize(
    ("series", "decays"),
    [
        ([1000 * 0.95**week for week in range(12)], True),
        ([1000 * 0.95**week for week in range(8)], True),
        ([1000 * 0.95**week for week in range(7)], False),  # too few weeks
        ([1000 * 0.985**week for week in range(16)], False),  # falls, but slower than 2 % a week
        ([1000 * 1.05**week for week in range(16)], False),  # rises
        ([100, 30, 90, 40, 110, 20, 95, 35, 70, 60], False),  # chance
        ([1000 * 0.95**week for week in range(4)] + [None] * 8 + [500 * 0.95**week for week in range(4)], True),
        ([300, 250, 220, 180, 150, 100, 60, 0, 0, 0], True),  # gone
    ],
)
def test_what_decays(series: list[float | None], decays: bool) -> None:
    assert trend_of(series).is_decay is decays
