"""The plan: every keyword exactly once a round, a level load, nobody lost when the schedule or the budget fails."""

from __future__ import annotations

import itertools
import uuid
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.normalize import keyword_id_of
from common.aso.site.models import TierPlan
from common.aso.tracking import plan
from common.aso.tracking.plan import IdRange, Position, due, ids_of, slot_of, slots_of

IDS = [keyword_id_of("demo", f"keyword {number}") for number in range(6000)]
ids = st.uuids().map(str)
slot_counts = st.integers(1, 90).map(slots_of)


@given(ids, slot_counts)
def test_a_keyword_lies_in_its_slot_and_in_no_other(keyword_id: str, slots: int) -> None:
    slot = slot_of(keyword_id, slots)
    assert 0 <= slot < slots
    assert keyword_id in ids_of(slot, slots)
    assert keyword_id not in ids_of((slot + 1) % slots, slots)
    assert keyword_id not in ids_of((slot - 1) % slots, slots)


@given(slot_counts, st.integers(0, 10**6))
def test_the_ids_at_the_edge_of_a_slot_lie_on_its_side(slots: int, seed: int) -> None:
    slot = 1 + seed % (slots - 1)
    edge = int(ids_of(slot, slots).first, 16)
    assert slot_of(f"{edge:08x}", slots) == slot
    assert slot_of(f"{edge - 1:08x}", slots) == slot - 1


@given(slot_counts)
def test_the_slots_cover_all_ids_without_a_gap(slots: int) -> None:
    ranges = [ids_of(slot, slots) for slot in range(slots)]
    assert ranges[0].first == "00000000"
    assert ranges[-1].end > "ffffffff-ffff-5fff-bfff-ffffffffffff"
    assert all(one.end == other.first for one, other in itertools.pairwise(ranges))


@pytest.mark.parametrize("days", [1, 3, 7])
def test_a_round_of_hourly_runs_checks_every_keyword_exactly_once(days: int) -> None:
    slots, start = slots_of(days), 490_000
    position, planned = Position(hour=start), Counter[str]()
    for hour in range(start + 1, start + slots + 1):
        for step in due(position, hour, slots):
            planned.update(keyword_id for keyword_id in IDS if keyword_id in step.ids)
            position = Position(hour=step.hour)
    assert planned == Counter(IDS)


@pytest.mark.parametrize("days", [1, 3])
def test_the_load_is_level(days: int) -> None:
    slots = slots_of(days)
    load = Counter(slot_of(keyword_id, slots) for keyword_id in IDS)
    mean = len(IDS) / slots
    # Five standard deviations of a Poisson count: of a fair hash one slot in a million lies beyond.
    assert all(abs(load[slot] - mean) < 5 * mean**0.5 for slot in range(slots))


@given(st.integers(1, 400), st.integers(1, 10).map(slots_of))
def test_after_an_outage_a_round_at_most_is_due_and_no_slot_twice(behind: int, slots: int) -> None:
    hour = 490_000
    steps = list(due(Position(hour=hour - behind), hour, slots))
    assert len(steps) <= min(behind, slots)
    assert len({step.hour % slots for step in steps}) == len(steps)
    # It goes on with the very slot that was next.
    assert steps[0].hour % slots == (hour - behind + 1) % slots


@given(st.integers(1, 300), st.integers(0, 10**6))
def test_a_slot_that_was_begun_goes_on_behind_its_last_keyword(behind: int, seed: int) -> None:
    slots, hour = slots_of(3), 490_000
    following = (hour - behind + 1) % slots
    inside = [keyword_id for keyword_id in sorted(IDS) if keyword_id in ids_of(following, slots)]
    last = inside[seed % len(inside)]
    first = next(due(Position(hour=hour - behind, after=last), hour, slots))
    assert [each for each in inside if each in first.ids] == [each for each in inside if each > last]


def test_a_plan_that_was_never_begun_begins_now() -> None:
    assert [step.hour for step in due(None, 490_000, 24)] == [490_000]


def test_nothing_is_due_twice_in_an_hour() -> None:
    assert list(due(Position(hour=490_000), 490_000, 24)) == []
    assert list(due(Position(hour=490_001), 490_000, 24)) == []


def test_the_plan_says_what_it_asks_for_a_day() -> None:
    assert plan.checks_a_day({"tier1": 10, "tier2": 30, "tier3": 70}, TierPlan()) == 10 + 10 + 10


def test_a_range_takes_its_first_and_not_its_end() -> None:
    some = IdRange(first="10000000", end="20000000")
    assert str(uuid.UUID(int=0x1 << 124)) in some
    assert str(uuid.UUID(int=0x2 << 124)) not in some
