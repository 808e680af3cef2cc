"""Group commit: every item is committed exactly once or its caller is told, whatever the timing and the failures."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import PoisonEvent, Unavailable
from common.warehouse.groups import GroupCommit, GroupLimits
from tests.stack import wait_for

Flush = Callable[[Sequence[int]], Mapping[int, Exception]]


class Store:
    """Commits items; refuses odd multiples of a number, and whole commits by plan."""

    def __init__(self, refuse: int, broken: Sequence[bool], company: Callable[[int], bool]) -> None:
        self.committed: Counter[int] = Counter()
        self.groups: list[list[int]] = []
        self._refuse = refuse
        self._broken = list(broken)
        self._company = company
        self._inside = threading.Lock()

    def flush(self, items: Sequence[int]) -> Mapping[int, Exception]:
        assert self._inside.acquire(blocking=False), "two commits of one key at once"
        try:
            self.groups.append(list(items))
            wait_for(lambda: self._company(len(items)), every=0.0002, what="everybody else waits")
            if self._broken and self._broken.pop():
                raise Unavailable("bigquery", "down")
            refused = {at: PoisonEvent("row_refused", str(item)) for at, item in enumerate(items) if self.refuses(item)}
            self.committed.update(item for at, item in enumerate(items) if at not in refused)
            return refused
        finally:
            self._inside.release()

    def refuses(self, item: int) -> bool:
        return item % self._refuse == self._refuse - 1


@settings(max_examples=25, deadline=None)
@given(
    items=st.integers(1, 60),
    threads=st.integers(1, 8),
    limit=st.integers(1, 7),
    size=st.integers(1, 40),
    refuse=st.integers(2, 9),
    broken=st.lists(st.booleans(), max_size=6),
)
def test_items_are_committed_once_or_raised(
    items: int, threads: int, limit: int, size: int, refuse: int, broken: list[bool]
) -> None:
    groups: GroupCommit[int] = GroupCommit("bigquery", GroupLimits(items=limit, size=size))
    finished: list[int] = []
    store = Store(refuse, broken, lambda group: group + waiting(groups) >= min(threads, items - len(finished)))

    def submit(item: int) -> str:
        try:
            return outcome_of(item)
        finally:
            finished.append(item)

    def outcome_of(item: int) -> str:
        try:
            groups.submit("table", item, 1 + item % 13, store.flush, timeout=30)
        except PoisonEvent as error:
            return "refused" if error.detail == str(item) else f"the error of {error.detail}"
        except Unavailable:
            return "failed"
        return "committed"

    with ThreadPoolExecutor(threads) as pool:
        outcomes = dict(zip(range(items), pool.map(submit, range(items)), strict=True))

    assert set(outcomes.values()) <= {"committed", "refused", "failed"}
    assert store.committed == Counter(item for item, outcome in outcomes.items() if outcome == "committed")
    assert all(store.refuses(item) for item, outcome in outcomes.items() if outcome == "refused")
    assert sorted(item for group in store.groups for item in group) == list(range(items)), "sent twice or never"
    for group in store.groups:
        assert len(group) <= limit
        assert len(group) == 1 or sum(1 + item % 13 for item in group) <= size


def test_those_who_arrive_during_a_commit_share_the_next() -> None:
    groups: GroupCommit[int] = GroupCommit("bigquery")
    gate, begun = threading.Event(), threading.Event()
    sent: list[list[int]] = []

    def flush(items: Sequence[int]) -> Mapping[int, Exception]:
        sent.append(list(items))
        begun.set()
        assert gate.wait(30)
        return {}

    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(groups.submit, "table", 0, 1, flush, timeout=30)
        assert begun.wait(30)
        others = [pool.submit(groups.submit, "table", item, 1, flush, timeout=30) for item in range(1, 9)]
        wait_for(lambda: waiting(groups) == 8)
        gate.set()
        for each in [first, *others]:
            each.result(30)
    assert [sorted(group) for group in sent] == [[0], list(range(1, 9))]
    assert waiting(groups) == 0
    assert not groups._lines, "an idle table costs no memory"


def waiting(groups: GroupCommit[int]) -> int:
    with groups._changed:
        return sum(len(line.waiting) for line in groups._lines.values())


def test_a_caller_whose_time_is_over_is_not_committed_later() -> None:
    groups: GroupCommit[int] = GroupCommit("bigquery")
    gate, begun = threading.Event(), threading.Event()
    sent: list[int] = []

    def flush(items: Sequence[int]) -> Mapping[int, Exception]:
        sent.extend(items)
        begun.set()
        assert gate.wait(30)
        return {}

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(groups.submit, "table", 0, 1, flush, timeout=30)
        assert begun.wait(30)
        with pytest.raises(Unavailable):
            groups.submit("table", 1, 1, flush, timeout=0)
        gate.set()
        first.result(30)
    assert sent == [0]


def test_a_leader_that_is_killed_lets_the_others_go() -> None:
    groups: GroupCommit[int] = GroupCommit("bigquery")
    gate, begun = threading.Event(), threading.Event()

    class KilledError(BaseException):
        pass

    def flush(items: Sequence[int]) -> Mapping[int, Exception]:
        begun.set()
        assert gate.wait(30)
        if 0 in items:
            raise KilledError
        return {}

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(groups.submit, "table", 0, 1, flush, timeout=30)
        assert begun.wait(30)
        second = pool.submit(groups.submit, "table", 1, 1, flush, timeout=30)
        wait_for(lambda: waiting(groups) == 1)
        gate.set()
        with pytest.raises(KilledError):
            first.result(30)
        second.result(30)
