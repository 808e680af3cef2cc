"""Circuit breakers: the rules, held by one process, by several, and without Redis."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from common.breaker import OPENED, Breaker, BreakerState, BreakerStatus, Rules
from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.errors import NotFound, Unavailable
from common.redis_access import Outage, redis_outage
from common.settings import Settings
from tests.common.security import Clock, without_redis

RULES = Rules(failures=5, cool_down=60, probe_lifetime=30)


class Pair:
    """Two instances with a breaker of the same dependency and one clock."""

    def __init__(self, settings: Settings, *, with_redis: bool = True) -> None:
        self.clock = Clock()
        name = f"provider-{uuid.uuid4().hex}"
        processes = [Clients(settings), Clients(settings)]
        if not with_redis:
            processes[1] = processes[0]
            without_redis(processes[0])
        self.breakers = [Breaker(name, clients, rules=RULES, clock=self.clock) for clients in processes]


class Model:
    """The rules told again in the plainest way: what a reader of document 004 expects."""

    def __init__(self) -> None:
        self.failures_in_a_row = 0
        self.open_since: float | None = None
        self.probe: str | None = None
        self.probe_since = 0.0

    def may_enter(self, now: float) -> bool:
        if self.open_since is None:
            return True
        if now - self.open_since < RULES.cool_down:
            return False
        return self.probe is None or now - self.probe_since >= RULES.probe_lifetime

    def entered(self, token: str, now: float) -> None:
        if self.open_since is not None:
            self.probe, self.probe_since = token, now

    def ended(self, token: str, outcome: str, now: float) -> None:
        if self.open_since is None:
            self.failures_in_a_row = {
                "succeeded": 0,
                "failed": self.failures_in_a_row + 1,
                "abandoned": self.failures_in_a_row,
            }[outcome]
            if self.failures_in_a_row >= RULES.failures:
                self.open_since = now
        elif token == self.probe:
            self.probe = None
            if outcome == "succeeded":
                self.open_since, self.failures_in_a_row = None, 0
            elif outcome == "failed":
                self.open_since = now
                self.failures_in_a_row += 1

    def status(self, now: float) -> BreakerStatus:
        if self.open_since is None:
            state = "CLOSED"
        else:
            state = "OPEN" if now - self.open_since < RULES.cool_down else "HALF_OPEN"
        return BreakerStatus(state=state, failure_count=self.failures_in_a_row)  # type: ignore[arg-type]


class Machine(RuleBasedStateMachine):
    """Any interleaving of calls through two instances behaves as the model says."""

    environment: Settings
    with_redis = True
    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair(self.environment, with_redis=self.with_redis)
        self.model = Model()

    @rule(target=calls, instance=st.integers(0, 1))
    def enter(self, instance: int) -> tuple[int, str] | None:
        now = self.pair.clock.now
        allowed = self.model.may_enter(now)
        if not allowed:
            with pytest.raises(Unavailable):
                self.pair.breakers[instance].enter()
            return None
        token = self.pair.breakers[instance].enter()
        self.model.entered(token, now)
        return instance, token

    @rule(call=consumes(calls), outcome=st.sampled_from(["succeeded", "failed", "failed", "abandoned"]))
    def end(self, call: tuple[int, str] | None, outcome: str) -> None:
        if call is None:
            return
        instance, token = call
        getattr(self.pair.breakers[instance], outcome)(token)
        self.model.ended(token, outcome, self.pair.clock.now)

    @rule(instance=st.integers(0, 1), times=st.integers(1, 6))
    def fail_in_a_row(self, instance: int, times: int) -> None:
        for _ in range(times):
            self.end(self.enter(instance), "failed")

    @rule(seconds=st.sampled_from([1.0, 29.0, 30.0, 59.0, 60.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.pair.clock.now += seconds

    @invariant()
    def both_instances_tell_the_same(self) -> None:
        expected = self.model.status(self.pair.clock.now)
        assert [breaker.status() for breaker in self.pair.breakers] == [expected, expected]


@pytest.mark.parametrize("with_redis", [True, False], ids=["redis", "local"])
def test_any_interleaving_follows_the_rules(settings: Settings, *, with_redis: bool) -> None:
    machine = type("_Machine", (Machine,), {"environment": settings, "with_redis": with_redis})
    run_state_machine_as_test(machine, settings=quick)


quick = settings(max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(ConnectionError), breaker.guard():
            raise ConnectionError


@pytest.fixture
def breaker(clients: Clients) -> Breaker:
    return Breaker(f"provider-{uuid.uuid4().hex}", clients, counts=(ConnectionError,), rules=RULES, clock=Clock())


def test_a_guarded_call_passes_its_result_and_its_errors(breaker: Breaker) -> None:
    with breaker.guard():
        pass
    fail(breaker)
    assert breaker.status() == BreakerStatus(state="CLOSED", failure_count=1)


def test_only_the_errors_it_is_told_about_count(breaker: Breaker) -> None:
    fail(breaker, 4)
    for _ in range(3):
        with pytest.raises(NotFound), breaker.guard():
            raise NotFound("thing_not_found", "answered, hence not failing")
    assert breaker.status() == BreakerStatus(state="CLOSED", failure_count=4)
    fail(breaker)
    assert breaker.status().state == "OPEN"


def test_an_open_breaker_calls_nothing_and_says_when_to_come_back(breaker: Breaker) -> None:
    fail(breaker, 5)
    with pytest.raises(Unavailable) as refused, breaker.guard():
        pytest.fail("called")
    assert refused.value.dependency == breaker.name
    assert refused.value.retry_after == 60


def test_the_log_says_once_that_a_breaker_opened(breaker: Breaker, capsys: pytest.CaptureFixture[str]) -> None:
    """The alert on open breakers counts this line."""
    for _ in range(RULES.failures + 3):
        breaker.failed("any")
    assert capsys.readouterr().out.count(OPENED) == 1


def test_many_instances_get_one_probe(settings: Settings) -> None:
    clock, name = Clock(), f"provider-{uuid.uuid4().hex}"
    breakers = [Breaker(name, Clients(settings), counts=(ConnectionError,), rules=RULES, clock=clock) for _ in range(8)]
    fail(breakers[0], 5)
    clock.now += 60

    def enters(breaker: Breaker) -> bool:
        try:
            breaker.enter()
        except Unavailable:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(enters, breakers)) == 1


def test_failures_of_many_instances_are_all_counted(settings: Settings) -> None:
    name = f"provider-{uuid.uuid4().hex}"
    rules = Rules(failures=1000)
    breakers = [Breaker(name, Clients(settings), rules=rules, clock=Clock()) for _ in range(4)]

    def fails(breaker: Breaker) -> None:
        for _ in range(25):
            breaker.failed(breaker.enter())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fails, breakers))
    assert breakers[0].status().failure_count == 100


def test_an_open_breaker_stays_open_when_redis_goes_away(settings: Settings) -> None:
    clients, clock = Clients(settings), Clock()
    outage = Outage(clock)
    clients.replace(redis_outage, outage)
    breaker = Breaker(f"provider-{uuid.uuid4().hex}", clients, counts=(ConnectionError,), rules=RULES, clock=clock)
    fail(breaker, 5)
    without_redis(clients)
    with pytest.raises(Unavailable):
        breaker.enter()
    assert breaker.status() == BreakerStatus(state="OPEN", failure_count=5)
    clock.now += 60
    breaker.succeeded(breaker.enter())
    assert breaker.status() == BreakerStatus(state="CLOSED", failure_count=0)
    clients.replace(redis_client, redis_client(settings))
    clock.now += 60
    assert breaker.status().state == "HALF_OPEN", "what the other instances know counts again"


def test_a_probe_whose_caller_vanished_gives_way() -> None:
    opened = BreakerState(failure_count=5, opened_at=0.0)
    first = opened.entered(RULES, 60, "one")
    assert first is not None
    assert first.entered(RULES, 89, "two") is None
    second = first.entered(RULES, 90, "two")
    assert second is not None
    assert second.succeeded("one") == second, "the first probe comes too late"
    assert second.succeeded("two") == BreakerState()
