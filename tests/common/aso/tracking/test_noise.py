"""Noise: how often it raises a false alarm, what it never misses, and what is no look at all."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.tracking.noise import FALSE_ALARMS, MINIMUM, WINDOW, LookBack, judge

START = date(2025, 1, 1)
Noise = Callable[[random.Random, float], float]


def normal(chance: random.Random, width: float) -> float:
    return chance.gauss(0, width)


def laplace(chance: random.Random, width: float) -> float:
    return chance.choice((-1, 1)) * chance.expovariate(2**0.5 / width)


def outliers(chance: random.Random, width: float) -> float:
    return chance.gauss(0, width) + (chance.choice((-8, 8)) * width if chance.random() < 0.02 else 0)


def looks(positions: Sequence[float | None], depth: int = 100) -> list[LookBack]:
    return [
        LookBack(
            day=(START + timedelta(number)).isoformat(),
            position=position,
            depth=depth if position is None else None,
            url=None if position is None else "https://example.com/a",
        )
        for number, position in enumerate(positions)
    ]


def alarms(positions: Sequence[float | None], judged_from: int = 0) -> int:
    """Return how many alerts a series of daily looks raises, as they come one by one."""
    told, alerted, count = looks(positions), list[str](), 0
    for number in range(len(told)):
        window = told[max(0, number + 1 - WINDOW) : number + 1]
        if judge(window, alerted) is not None:
            alerted.append(told[number].day)
            count += number >= judged_from
    return count


@pytest.mark.parametrize("noise", [normal, laplace, outliers])
def test_stationary_noise_raises_less_than_the_stated_number_a_year(noise: Noise) -> None:
    """One keyword-year for each level and width, the first month apart: about 2,200 looks a kind of noise."""
    found = []
    for seed, (level, share) in enumerate((level, share) for level in (2, 8, 25) for share in (0.1, 0.5)):
        chance = random.Random(f"{noise.__name__}-{seed}")
        positions = [max(1, round(level + noise(chance, share * level))) for _ in range(395)]
        found.append(alarms(positions, judged_from=30))
    assert statistics.mean(found) < FALSE_ALARMS


@pytest.mark.parametrize(
    ("before", "after", "direction"), [(3, 8, "down"), (8, 16, "down"), (12, 4, "up"), (40, 15, "up")]
)
def test_a_move_is_told_on_its_second_day_and_once(before: int, after: int, direction: str) -> None:
    chance = random.Random(1)
    quiet = [max(1, round(before + chance.gauss(0, 0.08 * before))) for _ in range(30)]
    moved = [max(1, round(after + chance.gauss(0, 0.04 * after))) for _ in range(20)]
    told = looks([*quiet, *moved])
    assert judge(told[:30]) is None
    assert judge(told[:31]) is None, "one look is no move"
    move = judge(told[:32])
    assert move is not None
    assert move.direction == direction
    assert move.band.low <= before <= move.band.high
    assert not move.band.low <= after <= move.band.high
    assert alarms([*quiet, *moved]) == 1


def test_nothing_is_judged_before_enough_is_known() -> None:
    assert alarms([5.0] * (MINIMUM - 3) + [90, 90, 90]) == 0
    assert alarms([5.0] * MINIMUM + [90, 90, 90]) == 1


def test_one_bad_day_is_forgiven() -> None:
    assert alarms([5.0] * 20 + [60] + [5.0] * 20 + [70] + [5.0] * 20) == 0


def test_a_page_is_lost_when_it_is_missed_twice_and_told_once() -> None:
    assert judge(looks([5.0] * 20 + [None])) is None
    lost = judge(looks([5.0] * 20 + [None, None]))
    assert lost is not None
    assert (lost.direction, lost.url) == ("lost", "https://example.com/a")
    assert alarms([5.0] * 20 + [None] * 10) == 1


def test_a_page_that_comes_and_goes_is_not_lost_each_time() -> None:
    flickering = ([5.0] * 6 + [None, None]) * 6
    assert alarms([*[5.0] * 10, *flickering]) == 1, "the first time is news"


def test_a_page_at_the_edge_of_what_is_looked_at_is_not_lost() -> None:
    assert judge(looks([28.0] * 20 + [None, None], depth=30)) is None
    assert judge(looks([28.0] * 20 + [None, None], depth=100)) is not None


@given(st.lists(st.none() | st.integers(1, 100).map(float), max_size=40), st.integers(0, 2))
def test_any_history_is_judged(positions: list[float | None], deep: int) -> None:
    told = looks(positions, depth=10 ** (deep + 1))
    move = judge(told)
    assert judge(told) == move
    if move is not None:
        assert 1 <= move.band.low <= move.band.level <= move.band.high
        last = told[-1].position
        assert (last is None) == (move.direction == "lost")
        if last is not None:
            assert (last < move.band.low) == (move.direction == "up")


@given(st.floats(1, 100), st.integers(1, 60))
def test_a_rank_that_stays_raises_nothing(position: float, count: int) -> None:
    assert alarms([position] * count) == 0
