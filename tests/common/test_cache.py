"""Answers through the cache: never older than the last invalidation, never an error because of the cache."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from common.answers import Cached, Page
from common.cache import JITTER, LARGEST, answer_key, generation_key, invalidate, read_through
from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.context import Deadline
from common.entity import Namespace
from common.errors import NotFound, Unavailable
from common.model import Model
from common.redis_access import Outage, redis_outage
from common.settings import Settings
from tests.common.security import Clock, commands_of, context_of, without_redis
from tests.stack import wait_for

STATS = Namespace(name="aso_stats", ttl=300, source="warehouse")
CONTENT = Namespace(name="aso_content", ttl=120, source="firestore")


class Figure(Model):
    """An answer."""

    number: int
    text: str = ""


def a_tenant() -> str:
    return f"t_{uuid.uuid4().hex[:12]}"


def read(
    clients: Clients, tenant_id: str, number: int, namespace: Namespace = STATS, **parameters: object
) -> Cached[Any]:
    """Read an answer whose computation gives ``number``."""
    return read_through(context_of(clients, tenant_id), namespace, parameters, lambda: Figure(number=number))


def number_of(answer: Cached[Any]) -> int:
    return int(json.loads(answer.body)["number"])


@pytest.fixture
def tenant_id() -> str:
    return a_tenant()


def test_the_second_read_is_a_hit_with_the_same_bytes(clients: Clients, tenant_id: str) -> None:
    first, second = read(clients, tenant_id, 1, days=30), read(clients, tenant_id, 2, days=30)
    assert (first.state, second.state) == ("MISS", "HIT")
    assert first.body == second.body == b'{"number":1,"text":""}'


def test_a_hit_costs_one_command(clients: Clients, tenant_id: str) -> None:
    read(clients, tenant_id, 1)
    with commands_of(clients) as commands:
        assert read(clients, tenant_id, 2).state == "HIT"
    assert commands == ["MGET"]


def test_parameters_tenants_and_namespaces_are_apart(clients: Clients, tenant_id: str) -> None:
    assert number_of(read(clients, tenant_id, 1, days=30)) == 1
    assert number_of(read(clients, tenant_id, 2, days=7)) == 2
    assert number_of(read(clients, a_tenant(), 3, days=30)) == 3
    assert number_of(read(clients, tenant_id, 4, CONTENT, days=30)) == 4


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": None}, {}, False),
        ({"a": ["x", "y"]}, {"a": ["xy"]}, False),
        ({"a": "x:b"}, {"a": "x", "b": ""}, False),
    ],
)
def test_only_equal_parameters_share_an_answer(
    one: dict[str, object], other: dict[str, object], *, equal: bool
) -> None:
    assert (answer_key("n", "t", one) == answer_key("n", "t", other)) is equal


def test_a_page_keeps_its_cursor(clients: Clients, tenant_id: str) -> None:
    page: Page[Figure] = Page(items=[Figure(number=1, text="ü\n|")], next_cursor="abc.def-_ 1")
    context = context_of(clients, tenant_id)
    answers = [read_through(context, CONTENT, {}, lambda: page) for _ in range(2)]
    assert [answer.state for answer in answers] == ["MISS", "HIT"]
    assert [answer.next_cursor for answer in answers] == ["abc.def-_ 1"] * 2
    assert answers[0].body == answers[1].body


def test_an_invalidation_reaches_only_what_it_names(clients: Clients, tenant_id: str) -> None:
    other = a_tenant()
    for tenant in (tenant_id, other):
        for namespace in (STATS, CONTENT):
            read(clients, tenant, 1, namespace)
    invalidate(clients, tenant_id, ["aso_stats"])
    assert read(clients, tenant_id, 2).state == "MISS"
    assert read(clients, tenant_id, 2, CONTENT).state == "HIT"
    assert read(clients, other, 2).state == "HIT"


def test_an_invalidation_costs_the_same_however_much_is_stored(clients: Clients, tenant_id: str) -> None:
    for days in range(50):
        read(clients, tenant_id, 1, days=days)
    with commands_of(clients) as commands:
        invalidate(clients, tenant_id, ["aso_stats", "aso_content"])
    assert commands == ["MULTI", "SET", "SET", "EXEC"]
    assert all(read(clients, tenant_id, 2, days=days).state == "MISS" for days in range(50))


def test_a_computation_that_an_invalidation_overtook_is_not_served_again(clients: Clients, tenant_id: str) -> None:
    def overtaken() -> Figure:
        invalidate(clients, tenant_id, ["aso_stats"])
        return Figure(number=1)

    assert read_through(context_of(clients, tenant_id), STATS, {}, overtaken).state == "MISS"
    after = read(clients, tenant_id, 2)
    assert (after.state, number_of(after)) == ("MISS", 2)


def test_a_forgotten_generation_never_revives_an_answer(clients: Clients, tenant_id: str) -> None:
    client = clients.get(redis_client)
    assert client is not None
    read(clients, tenant_id, 1)
    for number in range(2, 5):
        client.delete(generation_key("aso_stats", tenant_id))  # evicted, or expired
        assert number_of(read(clients, tenant_id, number)) == number


def test_answers_expire_within_the_ttl_and_not_all_at_once(clients: Clients, tenant_id: str) -> None:
    client = clients.get(redis_client)
    assert client is not None
    lifetimes = set()
    for days in range(30):
        read(clients, tenant_id, 1, days=days)
        left = client.pttl(answer_key("aso_stats", tenant_id, {"days": days}))
        assert 0 < left <= STATS.ttl * 1000
        lifetimes.add(round(left / (STATS.ttl * 1000 * JITTER)))
    assert len(lifetimes) > 1


def test_the_age_counts_from_the_computation(clients: Clients, tenant_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("time.time", clock)

    def slow() -> Figure:
        clock.now += 3
        return Figure(number=1)

    assert read_through(context_of(clients, tenant_id), STATS, {}, slow).age == 3
    clock.now += 40.9
    assert read(clients, tenant_id, 2).age == 43
    clock.now -= 1000
    assert read(clients, tenant_id, 2).age == 0, "a clock that was set back makes nothing younger than new"


def test_a_very_large_answer_is_given_and_not_stored(clients: Clients, tenant_id: str) -> None:
    context = context_of(clients, tenant_id)
    large = Figure(number=1, text="x" * LARGEST)
    assert [read_through(context, STATS, {}, lambda: large).state for _ in range(2)] == ["MISS", "MISS"]


def test_an_error_is_not_stored(clients: Clients, tenant_id: str) -> None:
    def fails() -> Figure:
        raise NotFound("thing_not_found", "x")

    with pytest.raises(NotFound):
        read_through(context_of(clients, tenant_id), STATS, {}, fails)
    assert read(clients, tenant_id, 2).state == "MISS"


# ---------------------------------------------------------------------- single flight


class Slow:
    """A computation that lasts until the test lets it end."""

    def __init__(self, number: int = 1) -> None:
        self.begun, self.release, self.calls, self.number = threading.Event(), threading.Event(), 0, number

    def __call__(self) -> Figure:
        self.calls += 1
        self.begun.set()
        assert self.release.wait(30)
        return Figure(number=self.number)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(12) as threads:
        yield threads


def test_requests_of_one_process_share_one_computation(
    clients: Clients, tenant_id: str, pool: ThreadPoolExecutor
) -> None:
    slow = Slow()
    futures = [pool.submit(read_through, context_of(clients, tenant_id), STATS, {}, slow) for _ in range(10)]
    assert slow.begun.wait(10)
    slow.release.set()
    answers = [future.result(10) for future in futures]
    assert slow.calls == 1
    assert {answer.body for answer in answers} == {b'{"number":1,"text":""}'}


def test_an_error_reaches_everybody_who_waits(clients: Clients, tenant_id: str, pool: ThreadPoolExecutor) -> None:
    barrier, calls = threading.Barrier(6), itertools.count()

    def fails() -> Figure:
        next(calls)
        raise NotFound("thing_not_found", "x")

    def request() -> str:
        barrier.wait(10)
        with pytest.raises(NotFound) as refusal:
            read_through(context_of(clients, tenant_id), STATS, {}, fails)
        return refusal.value.code

    assert [future.result(10) for future in [pool.submit(request) for _ in range(6)]] == ["thing_not_found"] * 6


def test_a_request_after_an_invalidation_does_not_join_a_computation_from_before(
    clients: Clients, tenant_id: str, pool: ThreadPoolExecutor
) -> None:
    before = Slow(1)
    early = pool.submit(read_through, context_of(clients, tenant_id), STATS, {}, before)
    assert before.begun.wait(10)
    invalidate(clients, tenant_id, ["aso_stats"])
    late = pool.submit(read, clients, tenant_id, 2)
    assert number_of(late.result(10)) == 2
    before.release.set()
    assert number_of(early.result(10)) == 1
    assert number_of(read(clients, tenant_id, 3)) == 2, "the late fill is what counts"


def test_nobody_waits_beyond_the_deadline(clients: Clients, tenant_id: str, pool: ThreadPoolExecutor) -> None:
    import dataclasses

    slow = Slow()
    leader = pool.submit(read_through, context_of(clients, tenant_id), STATS, {}, slow)
    assert slow.begun.wait(10)
    hurried = dataclasses.replace(context_of(clients, tenant_id), deadline=Deadline.after(0.05))
    with pytest.raises(Unavailable):
        read_through(hurried, STATS, {}, slow)
    slow.release.set()
    assert leader.result(10).state == "MISS"


# ---------------------------------------------------------------------- without Redis


def test_without_redis_every_answer_is_computed(settings: Settings, tenant_id: str) -> None:
    clients = Clients(settings)
    without_redis(clients)
    assert [(read(clients, tenant_id, number).state, number) for number in (1, 2)] == [("BYPASS", 1), ("BYPASS", 2)]
    assert number_of(read(clients, tenant_id, 3)) == 3


def test_a_deployment_without_redis_works_and_has_nothing_to_invalidate(settings: Settings, tenant_id: str) -> None:
    import dataclasses

    clients = Clients(dataclasses.replace(settings, redis_url=""))
    assert read(clients, tenant_id, 1).state == "BYPASS"
    invalidate(clients, tenant_id, ["aso_stats"])


def test_an_invalidation_that_did_not_arrive_says_so(settings: Settings, tenant_id: str) -> None:
    clients = Clients(settings)
    without_redis(clients)
    with pytest.raises(Unavailable) as down:
        invalidate(clients, tenant_id, ["aso_stats"])
    assert down.value.dependency == "redis"


def test_redis_lost_while_computing_costs_only_the_storing(settings: Settings, tenant_id: str) -> None:
    clients = Clients(settings)

    def loses() -> Figure:
        without_redis(clients)
        return Figure(number=1)

    answer = read_through(context_of(clients, tenant_id), STATS, {}, loses)
    assert (answer.state, number_of(answer)) == ("MISS", 1)


def test_redis_is_used_again_when_it_is_back(settings: Settings, tenant_id: str) -> None:
    clients, clock = Clients(settings), Clock()
    clients.replace(redis_outage, Outage(clock))
    without_redis(clients)
    assert read(clients, tenant_id, 1).state == "BYPASS"
    clients.replace(redis_client, redis_client(settings))
    assert read(clients, tenant_id, 1).state == "BYPASS"
    clock.now += 5
    assert [read(clients, tenant_id, 1).state for _ in range(2)] == ["MISS", "HIT"]


# ---------------------------------------------------------------------- any interleaving


class Fill:
    """A read of one process, held in the middle of its computation: it has seen the data, and not yet stored it."""

    def __init__(self, pool: ThreadPoolExecutor, clients: Clients, tenant_id: str, source: Callable[[], int]) -> None:
        self.acknowledged = 0
        self._seen, self._release = threading.Event(), threading.Event()

        def compute() -> Figure:
            number = source()
            self._seen.set()
            assert self._release.wait(30)
            return Figure(number=number)

        self.answer: Future[Cached[Any]] = pool.submit(read_through, context_of(clients, tenant_id), STATS, {}, compute)
        wait_for(lambda: self._seen.is_set() or self.answer.done() or self._joined(clients), every=0.001)

    @staticmethod
    def _joined(clients: Clients) -> bool:
        from common.cache import cache_flights

        flights = clients.get(cache_flights)._flights
        return any(vars(flight._condition)["_waiters"] for flight in list(flights.values()))

    @property
    def is_free(self) -> bool:
        """Whether it waits for the test only, and not for the computation of another request."""
        return self._seen.is_set() or self.answer.done()

    def release(self) -> None:
        self._release.set()

    def finish(self) -> int:
        self._release.set()
        return number_of(self.answer.result(30))


class Interleavings(RuleBasedStateMachine):
    """Two processes read, the data changes, invalidations are acknowledged: in any order.

    The data is a number that only grows. ``acknowledged`` is its value at the last acknowledged invalidation: no read
    that begins afterwards may see less.
    """

    environment: Settings

    def __init__(self) -> None:
        super().__init__()
        self.processes = [Clients(self.environment), Clients(self.environment)]
        self.tenant_id = a_tenant()
        self.data = 0
        self.acknowledged = 0
        self.fills: list[tuple[int, Fill]] = []
        self.pool = ThreadPoolExecutor(16)

    @rule(process=st.integers(0, 1))
    def begin_to_fill(self, process: int) -> None:
        if len(self.fills) < 8:
            fill = Fill(self.pool, self.processes[process], self.tenant_id, lambda: self.data)
            self.fills.append((self.acknowledged, fill))

    @rule(which=st.integers(0, 7))
    def finish_a_fill(self, which: int) -> None:
        ready = [entry for entry in self.fills if entry[1].is_free]
        if ready:
            entry = ready[which % len(ready)]
            self.fills.remove(entry)
            assert entry[1].finish() >= entry[0]

    @rule()
    def finish_all(self) -> None:
        fills, self.fills = self.fills, []
        for _, fill in fills:
            fill.release()
        for least, fill in fills:
            assert fill.finish() >= least

    @rule(process=st.integers(0, 1))
    def read_now(self, process: int) -> None:
        if not self.fills:
            assert number_of(read(self.processes[process], self.tenant_id, self.data)) >= self.acknowledged

    @rule()
    def change(self) -> None:
        self.data += 1

    @rule(process=st.integers(0, 1))
    def change_and_invalidate(self, process: int) -> None:
        self.data += 1
        invalidate(self.processes[process], self.tenant_id, ["aso_stats"])
        self.acknowledged = self.data

    @rule()
    def redis_forgets_the_generation(self) -> None:
        client = self.processes[0].get(redis_client)
        assert client is not None
        client.delete(generation_key("aso_stats", self.tenant_id))

    def teardown(self) -> None:
        for _, fill in self.fills:
            fill.release()
        self.pool.shutdown(wait=True)


def test_no_interleaving_serves_what_was_invalidated(settings: Settings) -> None:
    machine = type("_Interleavings", (Interleavings,), {"environment": settings})
    quick = hypothesis_settings(
        max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=quick)


READER = """
import sys
from common.cache import read_through
from common.clients.registry import Clients
from common.settings import Settings
from tests.common.security import context_of
from tests.common.test_cache import STATS, Figure, number_of

clients = Clients(Settings.from_environment())
context = context_of(clients, sys.argv[1])
client = clients.get(__import__("common.clients.redis", fromlist=["redis_client"]).redis_client)
for _ in range(600):
    least = int(client.get("acknowledged:" + sys.argv[1]) or 0)
    answer = read_through(context, STATS, {}, lambda: Figure(number=int(client.get("data:" + sys.argv[1]) or 0)))
    if number_of(answer) < least:
        sys.exit(f"served {number_of(answer)} after {least} was acknowledged")
"""


def test_processes_that_run_free_never_serve_what_was_invalidated(clients: Clients, tenant_id: str) -> None:
    settings = clients.settings
    environment = {
        "XYNERGY_ENVIRONMENT": "local",
        "GOOGLE_CLOUD_PROJECT": settings.project,
        "REDIS_URL": settings.redis_url,
        "PYTHONPATH": ":".join(sys.path),
    }
    client = clients.get(redis_client)
    assert client is not None
    readers = [
        subprocess.Popen([sys.executable, "-c", READER, tenant_id], env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    number = 0
    while any(reader.poll() is None for reader in readers):
        number += 1
        client.set(f"data:{tenant_id}", number)
        invalidate(clients, tenant_id, ["aso_stats"])
        client.set(f"acknowledged:{tenant_id}", number)
    for reader in readers:
        _, complaint = reader.communicate()
        assert reader.returncode == 0, complaint
    assert number > 100
