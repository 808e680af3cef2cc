"""The small cache of recent reads, and one computation per key."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.errors import Unavailable
from common.recent import Recent
from common.single_flight import SingleFlight
from tests.common.security import Clock
from tests.stack import wait_for


class Source:
    """Counts reads; can be down."""

    def __init__(self) -> None:
        self.value: str | None = "one"
        self.is_down = False
        self.reads = 0

    def read(self) -> str | None:
        self.reads += 1
        if self.is_down:
            raise Unavailable("source", "down")
        return self.value


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def recent(clock: Clock) -> Recent[str, str]:
    return Recent(fresh=60, missing=10, stale=300, retry=5, size=3, clock=clock)


def test_a_value_is_read_again_when_it_is_no_longer_fresh(
    recent: Recent[str, str], source: Source, clock: Clock
) -> None:
    assert recent.get("k", source.read) == "one"
    source.value = "two"
    clock.now += 59.9
    assert recent.get("k", source.read) == "one"
    clock.now += 0.1
    assert recent.get("k", source.read) == "two"
    assert source.reads == 2


def test_an_absence_is_believed_for_a_shorter_time(recent: Recent[str, str], source: Source, clock: Clock) -> None:
    source.value = None
    assert recent.get("k", source.read) is None
    source.value = "one"
    clock.now += 9.9
    assert recent.get("k", source.read) is None
    clock.now += 0.1
    assert recent.get("k", source.read) == "one"


def test_what_is_known_is_served_while_the_source_is_down_and_the_source_is_spared(
    recent: Recent[str, str], source: Source, clock: Clock
) -> None:
    recent.get("k", source.read)
    source.is_down = True
    clock.now += 60
    assert recent.get("k", source.read) == "one"
    assert recent.get("k", source.read) == "one"
    assert source.reads == 2, "the source was asked once, not for each request"
    clock.now += 5
    assert recent.get("k", source.read) == "one"
    assert source.reads == 3
    clock.now += 300
    with pytest.raises(Unavailable):
        recent.get("k", source.read)
    source.is_down, source.value = False, "two"
    assert recent.get("k", source.read) == "two"


def test_an_outage_does_not_make_a_value_younger(recent: Recent[str, str], source: Source, clock: Clock) -> None:
    recent.get("k", source.read)
    source.is_down = True
    for _ in range(59):
        clock.now += 5.1
        if clock.now - 1_000_000 <= 300:
            assert recent.get("k", source.read) == "one"
    with pytest.raises(Unavailable):
        recent.get("k", source.read)


def test_an_absence_is_no_answer_during_an_outage(recent: Recent[str, str], source: Source, clock: Clock) -> None:
    source.value = None
    recent.get("k", source.read)
    source.is_down = True
    clock.now += 10
    with pytest.raises(Unavailable):
        recent.get("k", source.read)


def test_the_least_recently_used_gives_way(recent: Recent[str, str], source: Source) -> None:
    for key in "abc":
        recent.get(key, source.read)
    recent.get("a", source.read)
    recent.get("d", source.read)
    assert source.reads == 4
    recent.get("a", source.read)
    assert source.reads == 4
    recent.get("b", source.read)
    assert source.reads == 5


def test_forgetting_reads_again(recent: Recent[str, str], source: Source) -> None:
    recent.get("k", source.read)
    recent.forget("k")
    recent.get("k", source.read)
    assert source.reads == 2


def waiting(flights: SingleFlight[str, int]) -> int:
    """Return how many threads wait for a computation of another one."""
    return sum(len(vars(flight._condition)["_waiters"]) for flight in flights._flights.values())


def together(flights: SingleFlight[str, int], compute: Callable[[], int], begun: threading.Event) -> list[object]:
    """Let one thread compute and four others join it while it computes."""

    def join() -> object:
        try:
            return flights.run("k", compute)
        except LookupError as error:
            return error

    with ThreadPoolExecutor(5) as pool:
        leader = pool.submit(join)
        assert begun.wait(10)
        others = [pool.submit(join) for _ in range(4)]
        wait_for(lambda: waiting(flights) == 4)
        release.set()
        return [future.result(10) for future in (leader, *others)]


release = threading.Event()


def test_threads_share_one_computation() -> None:
    release.clear()
    begun, calls = threading.Event(), []

    def compute() -> int:
        calls.append(1)
        begun.set()
        assert release.wait(10)
        return 42

    assert together(SingleFlight(), compute, begun) == [42] * 5
    assert len(calls) == 1


def test_an_error_reaches_everybody_and_is_not_kept() -> None:
    release.clear()
    begun = threading.Event()

    def compute() -> int:
        begun.set()
        assert release.wait(10)
        raise LookupError("no")

    flights: SingleFlight[str, int] = SingleFlight()
    assert all(isinstance(result, LookupError) for result in together(flights, compute, begun))
    assert flights.run("k", lambda: 7) == 7


def test_patience_ends_before_the_computation_of_another_thread() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    begun, finish = threading.Event(), threading.Event()

    def compute() -> int:
        begun.set()
        assert finish.wait(10)
        return 1

    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(flights.run, "k", compute)
        assert begun.wait(10)
        with pytest.raises(TimeoutError, match="another request"):
            flights.run("k", compute, patience=0.01)
        finish.set()
        assert leader.result(10) == 1


def test_what_is_too_old_is_dropped_and_nothing_else() -> None:
    now = [0.0]
    recent: Recent[str, str] = Recent(fresh=100, missing=1, stale=100, clock=lambda: now[0])
    recent.get("old", lambda: "read at 0")
    now[0] = 50
    recent.get("young", lambda: "read at 50")
    now[0] = 61
    recent.drop_older(60)
    assert recent.get("young", lambda: "again") == "read at 50"
    assert recent.get("old", lambda: "again") == "again"
