"""Ids of clusters: they survive what a cluster survives."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from common.aso.clusters.identity import matched

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def days(**ages: int) -> dict[str, datetime]:
    return {name: BEGINNING + timedelta(days=age) for name, age in ages.items()}


def of(**clusters: str) -> dict[str, str]:
    return {member: name for name, members in clusters.items() for member in members}


@st.composite
def partitions(draw: st.DrawFn) -> list[list[str]]:
    """Groups of at least two letters, each letter in one at most."""
    places = draw(st.lists(st.integers(0, 5) | st.none(), min_size=0, max_size=26))
    groups: dict[int, list[str]] = {}
    for letter, place in zip("abcdefghijklmnopqrstuvwxyz", places, strict=False):
        if place is not None:
            groups.setdefault(place, []).append(letter)
    return [members for members in groups.values() if len(members) > 1]


def named(groups: list[list[str]]) -> tuple[dict[str, str], dict[str, datetime]]:
    before = {member: f"c{number}" for number, members in enumerate(groups) for member in members}
    return before, {f"c{number}": BEGINNING + timedelta(days=number % 3) for number in range(len(groups))}


@given(partitions())
def test_the_same_clusters_keep_their_ids(groups: list[list[str]]) -> None:
    before, made = named(groups)
    assert matched(groups, before, made) == list(made)


@given(partitions(), partitions(), st.randoms(use_true_random=False))
def test_the_order_of_groups_and_members_changes_nothing(
    old: list[list[str]], new: list[list[str]], chance: random.Random
) -> None:
    before, made = named(old)
    names = {tuple(sorted(group)): name for group, name in zip(new, matched(new, before, made), strict=True)}
    shuffled = [chance.sample(group, len(group)) for group in chance.sample(new, len(new))]
    entries = list(before.items())
    chance.shuffle(entries)
    again = matched(shuffled, dict(entries), made)
    assert {tuple(sorted(group)): name for group, name in zip(shuffled, again, strict=True)} == names


@given(partitions(), partitions())
def test_no_id_is_given_twice_and_none_without_a_shared_member(old: list[list[str]], new: list[list[str]]) -> None:
    before, made = named(old)
    names = matched(new, before, made)
    given_away = [name for name in names if name is not None]
    assert len(given_away) == len(set(given_away))
    for group, name in zip(new, names, strict=True):
        shared = {before[member] for member in group if member in before}
        assert name is None or name in shared
        if name is None:
            assert shared <= set(given_away), "whatever it shares members with lives on elsewhere"


@given(partitions(), partitions())
def test_another_group_takes_no_id_away(old: list[list[str]], new: list[list[str]]) -> None:
    before, made = named(old)
    assert matched([*new, ["0", "1"]], before, made) == [*matched(new, before, made), None]


def test_the_larger_part_of_a_split_keeps_the_id() -> None:
    assert matched([["a", "b"], ["c", "d", "e"]], of(x="abcde"), days(x=1)) == [None, "x"]


def test_a_merger_takes_the_id_of_whoever_gave_most() -> None:
    assert matched([list("abcde")], of(x="ab", y="cde"), days(x=1, y=2)) == ["y"]


def test_of_equal_shares_the_more_alike_wins_then_the_oldest() -> None:
    assert matched([list("abcd")], of(x="abz", y="cd"), days(x=1, y=2)) == ["y"]
    assert matched([list("abcd")], of(x="ab", y="cd"), days(x=2, y=1)) == ["y"]
    assert matched([list("abcd")], of(y="ab", x="cd"), days(x=1, y=1)) == ["x"], "and then the smaller id"


def test_clusters_that_nobody_knows_any_more_give_no_id() -> None:
    assert matched([["a", "b"]], of(x="ab"), {}) == [None]
