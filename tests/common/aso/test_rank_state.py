"""The rank state is a join: order, repetition and grouping of observations do not matter."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.models import RankObservation
from common.aso.rank_models import RankRow
from common.aso.rank_state import (
    HISTORY_DAYS,
    RankState,
    counts_for,
    folded,
    known_of,
    rounded,
    state_of,
    with_state,
)
from common.aso.ranks import observation_of
from tests.common.aso.observations import KEYWORD, NOW, POSITIONS, observations, told_once

LISTS = st.lists(observations(), max_size=60).map(told_once)
STATES = LISTS.map(folded)


def looked(
    days_ago: int, position: float | None, hours: int = 0, now: datetime = NOW, **more: object
) -> RankObservation:
    state = {"state": "not_found", "depth": 100} if position is None else {"state": "ranked", "position": position}
    row = {"keyword": KEYWORD.keyword, "checked_at": now - timedelta(days=days_ago, hours=hours), **state, **more}
    return observation_of(KEYWORD, RankRow.model_validate(row), NOW)


def failed(days_ago: int) -> RankObservation:
    row = {"keyword": KEYWORD.keyword, "checked_at": NOW - timedelta(days=days_ago), "state": "check_failed"}
    return observation_of(KEYWORD, RankRow.model_validate(row), NOW)


@given(STATES, STATES, STATES)
def test_merge_is_a_join(one: RankState, other: RankState, third: RankState) -> None:
    assert one.merge(one) == one
    assert one.merge(RankState()) == one
    assert one.merge(other) == other.merge(one)
    assert one.merge(other).merge(third) == one.merge(other.merge(third))


@given(LISTS, st.randoms(use_true_random=False))
def test_order_repetition_and_grouping_do_not_matter(told: list[RankObservation], random: object) -> None:
    shuffled = [*told, *told[: len(told) // 2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    cut = len(shuffled) // 3
    in_groups = folded(shuffled[:cut]).merge(folded(shuffled[cut:]))
    carried = KEYWORD
    for observation in shuffled:
        carried = with_state(carried, known_of(carried).merge(state_of(observation)))
    assert folded(shuffled) == folded(told) == in_groups == known_of(carried)
    assert carried == with_state(KEYWORD, folded(told))


@given(LISTS)
def test_the_state_says_what_the_observations_say(told: list[RankObservation]) -> None:
    keyword = with_state(KEYWORD, folded(told))
    successes = [each for each in told if each.state != "check_failed"]
    ranked = [each for each in successes if each.position is not None]
    failures = [each for each in told if each.state == "check_failed"]
    assert keyword.last_checked == max((each.checked_at for each in successes), default=None)
    assert keyword.last_failed_check == max((each.checked_at for each in failures), default=None)
    assert keyword.best_ranking == min((rounded(each.position or 0) for each in ranked), default=None)
    days = sorted({each.date for each in successes})[-HISTORY_DAYS:]
    assert [entry.date for entry in keyword.serp_history] == days
    if successes:
        newest = max(each.checked_at for each in successes)
        assert keyword.serp_history[-1].checked_at == newest
        at_newest = {each.position for each in successes if each.checked_at == newest}
        assert keyword.average_position in at_newest


@given(POSITIONS)
def test_halves_are_rounded_up(position: float) -> None:
    rank = rounded(position)
    assert rank >= 1
    assert math.isclose(abs(rank - position), min(position % 1, 1 - position % 1), abs_tol=1e-9)
    if math.isclose(position % 1, 0.5):
        assert rank == math.ceil(position)


def test_fractions_are_kept_beside_the_rounded_rank() -> None:
    keyword = with_state(KEYWORD, folded([looked(1, 12.5)]))
    assert (keyword.current_ranking, keyword.average_position, keyword.best_ranking) == (13, 12.5, 13)


def test_not_found_takes_the_rank_and_keeps_the_best() -> None:
    keyword = with_state(KEYWORD, folded([looked(2, 4), looked(1, None)]))
    assert (keyword.current_ranking, keyword.average_position, keyword.best_ranking) == (None, None, 4)
    assert keyword.last_checked == NOW - timedelta(days=1)


def test_a_failed_check_says_nothing_about_the_rank() -> None:
    before = with_state(KEYWORD, folded([looked(2, 4)]))
    after = with_state(KEYWORD, folded([looked(2, 4), failed(1)]))
    assert after == before.model_copy(update={"last_failed_check": NOW - timedelta(days=1)})


def test_an_older_check_does_not_replace_a_newer_one() -> None:
    keyword = with_state(KEYWORD, folded([looked(1, 8), looked(3, 2)]))
    assert (keyword.current_ranking, keyword.best_ranking) == (8, 2)


def test_the_later_check_of_a_day_wins_over_an_earlier_rank() -> None:
    moment = NOW.replace(hour=12)
    assert (
        folded([looked(1, 3, now=moment, hours=2), looked(1, None, now=moment)]).current
        == folded([looked(1, None, now=moment)]).current
    )


def test_of_one_moment_the_better_rank_counts() -> None:
    desktop, mobile = looked(1, 9, device="desktop"), looked(1, 5, device="mobile")
    nowhere = looked(1, None, device="tablet")
    assert folded([desktop, mobile, nowhere]).current == folded([mobile]).current


def test_the_history_forgets_the_oldest_days() -> None:
    state = folded(looked(days_ago, days_ago + 1) for days_ago in range(HISTORY_DAYS + 5))
    assert len(state.history) == HISTORY_DAYS
    assert state.history[0].position == HISTORY_DAYS


@pytest.mark.parametrize(
    ("device", "locale", "counts"),
    [
        (None, None, True),
        ("mobile", None, True),
        ("desktop", None, False),
        ("mobile", "en-US", True),
        (None, "de", False),
    ],
)
def test_a_preference_narrows_what_counts(device: str | None, locale: str | None, counts: bool) -> None:
    keyword = KEYWORD.model_copy(update={"device": device, "locale": locale})
    assert counts_for(keyword, looked(1, 5, device="mobile", locale="en-US")) is counts
