"""The gain: bounded, monotone, and a prior that says so."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso import gain

RANKS = st.integers(min_value=1, max_value=gain.WORST_RANK)
DIFFICULTIES = st.one_of(st.none(), st.floats(min_value=0, max_value=100, allow_nan=False))
DEMANDS = st.floats(min_value=0, max_value=1e9, allow_nan=False)


def expected_gain(current: int, demand: float, difficulty: float | None) -> float:
    found = gain.expect(current=current, demand=demand, difficulty=difficulty)
    return 0.0 if found is None else found.gain


def test_click_through_falls_strictly_and_stays_below_one_per_cent_after_the_first_page() -> None:
    curve = gain.CLICK_THROUGH
    assert len(curve) == gain.WORST_RANK
    assert all(better > worse for better, worse in itertools.pairwise(curve))
    assert all(0 < value < 0.01 for value in curve[10:])
    assert sum(curve) < 1
    assert (gain.click_through(0), gain.click_through(gain.WORST_RANK + 1)) == (0.0, 0.0)


@given(current=RANKS, target=RANKS, difficulty=DIFFICULTIES)
def test_reach_is_a_probability_and_falls_with_difficulty_and_distance(
    current: int, target: int, difficulty: float | None
) -> None:
    chance = gain.reach(current, target, difficulty)
    assert 0 < chance < 1
    assert gain.reach(current, target, 100) <= chance <= gain.reach(current, target, 0)
    if target > 1:
        assert gain.reach(current, target - 1, difficulty) < chance


@given(current=RANKS, demand=DEMANDS, difficulty=DIFFICULTIES)
def test_gain_is_bounded_by_reaching_the_first_rank_for_certain(
    current: int, demand: float, difficulty: float | None
) -> None:
    found = gain.expect(current=current, demand=demand, difficulty=difficulty)
    if found is None:
        assert current == 1 or demand < 1e-300
        return
    assert 1 <= found.target < current
    assert found.target <= gain.BEST_CANDIDATES
    assert 0 < found.gain <= demand * (gain.click_through(1) - gain.click_through(current))


@given(current=RANKS, demand=DEMANDS, difficulty=DIFFICULTIES, target=st.integers(1, gain.BEST_CANDIDATES))
def test_no_other_target_is_worth_more(current: int, demand: float, difficulty: float | None, target: int) -> None:
    if target < current:
        other = demand * (gain.click_through(target) - gain.click_through(current))
        assert expected_gain(current, demand, difficulty) >= other * gain.reach(current, target, difficulty)


@given(current=RANKS, demand=DEMANDS, more=DEMANDS, easier=st.floats(0, 100), harder=st.floats(0, 100))
def test_gain_rises_with_demand_and_falls_with_difficulty(
    current: int, demand: float, more: float, easier: float, harder: float
) -> None:
    low, high = sorted((demand, more))
    assert expected_gain(current, low, easier) <= expected_gain(current, high, easier)
    easy, hard = sorted((easier, harder))
    assert expected_gain(current, demand, hard) <= expected_gain(current, demand, easy)


def test_an_unknown_difficulty_counts_as_the_middle_and_costs_confidence() -> None:
    assert expected_gain(12, 1000, None) == expected_gain(12, 1000, 50)
    known, unknown = (
        gain.confidence(basis="search_volume", period_known=True, difficulty_known=known, age_days=0)
        for known in (True, False)
    )
    assert unknown < known < 1


@given(
    basis=st.sampled_from(["search_volume", "observed_impressions"]),
    period=st.booleans(),
    difficulty=st.booleans(),
    age=st.integers(-2, 400),
)
def test_confidence_is_a_share_and_never_grows_with_age(
    basis: gain.DemandBasis, period: bool, difficulty: bool, age: int
) -> None:
    def at(days: int) -> float:
        return gain.confidence(basis=basis, period_known=period, difficulty_known=difficulty, age_days=days)

    assert 0 < at(age + 1) <= at(age) <= gain.PRIOR_CONFIDENCE


@pytest.mark.parametrize(
    ("volume", "difficulty", "score"), [(500, 1.0, 500.0), (20_000, 45.0, 444.44), (500, 0.0, None), (500, None, None)]
)
def test_the_score_of_the_document_never_divides_by_zero(
    volume: int, difficulty: float | None, score: float | None
) -> None:
    found = gain.seed_score(volume, difficulty)
    assert found == (None if score is None else pytest.approx(score, abs=0.01))


def test_gain_prefers_what_the_score_of_the_document_does_not() -> None:
    small, large = expected_gain(15, 500, 1), expected_gain(15, 20_000, 45)
    assert (gain.seed_score(500, 1) or 0) > (gain.seed_score(20_000, 45) or 0)
    assert large > 5 * small
