"""The chance to reach a rank: starts at the prior, moves with outcomes, and never rewards difficulty or distance."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.aso import gain
from common.aso.gain import REACH_PRIOR, ReachCoefficients
from common.aso.gain_model import reach_fit
from common.aso.gain_model.model import REACH_PRIOR_COVARIANCE, REACH_PRIOR_SPREAD, UNRANKED
from common.aso.gain_model.reach_fit import LEAST_OUTCOMES, Attempts

ATTEMPTS = st.lists(
    st.integers(1, 40).flatmap(
        lambda number: st.builds(
            Attempts,
            current=st.integers(4, UNRANKED),
            target=st.integers(1, 10),
            difficulty=st.one_of(st.none(), st.floats(0, 100)),
            number=st.just(number),
            reached=st.integers(0, number),
        )
    ),
    min_size=1,
    max_size=25,
)


def drawn(coefficients: ReachCoefficients, number: int, seed: int = 1) -> list[Attempts]:
    rng = random.Random(seed)
    found = []
    for _ in range(number):
        current, target, difficulty = rng.randint(4, 30), rng.randint(1, 3), rng.randint(0, 100)
        reached = rng.random() < gain.reach(current, target, difficulty, coefficients)
        found.append(
            Attempts(current=current, target=target, difficulty=float(difficulty), number=1, reached=int(reached))
        )
    return found


def test_too_few_outcomes_keep_the_prior() -> None:
    few = drawn(REACH_PRIOR, LEAST_OUTCOMES - 1)
    fitted = reach_fit.fit(few)
    assert (fitted.coefficients, fitted.covariance) == (REACH_PRIOR, REACH_PRIOR_COVARIANCE)
    assert (fitted.attempts, fitted.reason) == (LEAST_OUTCOMES - 1, "too_few_outcomes")
    assert reach_fit.fit([]).reason == "too_few_outcomes"
    assert reach_fit.fit(drawn(REACH_PRIOR, LEAST_OUTCOMES)).reason is None


@given(attempts=ATTEMPTS, seed=st.integers())
@settings(max_examples=40)
def test_the_fit_is_the_summit_whatever_the_order(attempts: list[Attempts], seed: int) -> None:
    fitted = reach_fit.fit(attempts)
    if fitted.reason is not None:
        assert sum(each.number for each in attempts) < LEAST_OUTCOMES
        return
    assert reach_fit.fit(random.Random(seed).sample(attempts, len(attempts))) == fitted
    assert fitted.coefficients.per_difficulty >= 0
    assert fitted.coefficients.per_log_rank >= 0
    assert all(map(math.isfinite, fitted.coefficients))
    assert all(fitted.covariance[i][i] > 0 for i in range(3))
    if min(fitted.coefficients[1:]) > 1e-6:
        height = _height(attempts, fitted.coefficients)
        for index, step in ((0, 1e-3), (1, 1e-5), (2, 1e-3)):
            for sign in (-1, 1):
                moved = list(fitted.coefficients)
                moved[index] += sign * step
                assert _height(attempts, ReachCoefficients(*moved)) <= height + 1e-9


def _height(attempts: list[Attempts], at: ReachCoefficients) -> float:
    """The log posterior, written independently of the module."""
    height = 0.0
    for value, mean, spread in zip(at, REACH_PRIOR, REACH_PRIOR_SPREAD, strict=True):
        height -= (value - mean) ** 2 / (2 * spread**2)
    for each in attempts:
        chance = gain.reach(max(each.current, each.target), each.target, each.difficulty, at)
        height += each.reached * math.log(chance) + (each.number - each.reached) * math.log1p(-chance)
    return height


def test_many_outcomes_find_the_coefficients_they_were_drawn_with() -> None:
    true = ReachCoefficients(0.4, 0.02, 0.8)
    fitted = reach_fit.fit(drawn(true, 6000))
    for value, expected, row in zip(fitted.coefficients, true, range(3), strict=True):
        assert abs(value - expected) < 4 * math.sqrt(fitted.covariance[row][row])


def test_outcomes_worse_than_predicted_lower_the_chance_and_more_of_them_lower_it_more() -> None:
    def failed(number: int) -> float:
        tried = [Attempts(current=12, target=3, difficulty=30.0, number=number, reached=0)]
        return gain.reach(12, 3, 30.0, reach_fit.fit(tried).coefficients)

    chances = [gain.reach(12, 3, 30.0), failed(20), failed(100), failed(1000)]
    assert chances == sorted(chances, reverse=True)
    assert chances[-1] < 0.01


def test_more_outcomes_narrow_the_coefficients() -> None:
    few, many = (reach_fit.fit(drawn(REACH_PRIOR, number)).covariance for number in (30, 3000))
    assert all(many[i][i] < few[i][i] < REACH_PRIOR_COVARIANCE[i][i] for i in range(3))


def test_harder_and_farther_never_help_even_if_the_outcomes_say_so() -> None:
    odd = [
        Attempts(current=6, target=5, difficulty=5.0, number=300, reached=10),
        Attempts(current=30, target=1, difficulty=95.0, number=300, reached=290),
    ]
    fitted = reach_fit.fit(odd)
    assert fitted.reason is None
    assert fitted.coefficients.per_difficulty == pytest.approx(0, abs=1e-4)
    assert fitted.coefficients.per_log_rank == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("number", "reached"), [(0, 0), (-3, 0), (5, 6), (5, -1)])
def test_counts_that_cannot_be_are_left_out(number: int, reached: int) -> None:
    odd = Attempts(current=12, target=3, difficulty=None, number=number, reached=reached)
    assert reach_fit.fit([odd, *drawn(REACH_PRIOR, 25)]) == reach_fit.fit(drawn(REACH_PRIOR, 25))
