"""Redis that hangs, dies and comes back: a real server, treated badly."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import threading
import uuid
from collections.abc import Iterator

import pytest
import redis

from common.cache import invalidate, read_through
from common.clients.registry import Clients
from common.entity import Namespace
from common.errors import Unavailable
from common.limits import consume
from common.model import Model
from common.redis_access import PAUSE, Outage, RedisDown, redis_outage, with_redis
from common.settings import Settings
from tests.common.security import Clock, context_of
from tests.stack import TestEmulators, wait_for
from triggers.local.processes import free_port

STATS = Namespace(name="aso_stats", ttl=300, source="warehouse")


class Figure(Model):
    """An answer."""

    number: int


class Server:
    """A Redis server of this test's own."""

    def __init__(self, emulators: TestEmulators) -> None:
        self._binary = emulators.services.services["redis"]._command[0]
        self._table = emulators.services.table
        self.port = free_port()
        self.start()

    def start(self) -> None:
        command = [self._binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        self._table.add(self.process.pid)
        wait_for(self._pings)

    def _pings(self) -> bool:
        with redis.Redis(port=self.port) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

    def hang(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def die(self) -> None:
        self.process.kill()
        self.process.wait()
        self._table.remove(self.process.pid)


@pytest.fixture
def server(emulators: TestEmulators) -> Iterator[Server]:
    running = Server(emulators)
    yield running
    running.die()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def own(server: Server, settings: Settings, clock: Clock) -> Clients:
    clients = Clients(dataclasses.replace(settings, redis_url=f"redis://127.0.0.1:{server.port}/0"))
    clients.replace(redis_outage, Outage(clock))
    return clients


def state(clients: Clients) -> str:
    return read_through(context_of(clients), STATS, {}, lambda: Figure(number=1)).state


def test_a_redis_that_hangs_is_waited_for_once(own: Clients, server: Server, clock: Clock) -> None:
    assert [state(own), state(own)] == ["MISS", "HIT"]
    server.hang()
    assert state(own) == "BYPASS"
    server.go_on()
    assert state(own) == "BYPASS", "the outage is remembered"
    assert consume(context_of(own), "standard") is not None
    clock.now += PAUSE
    assert state(own) == "HIT"


def test_a_redis_that_died_is_done_without_until_it_is_back(own: Clients, server: Server, clock: Clock) -> None:
    assert state(own) == "MISS"
    server.die()
    assert state(own) == "BYPASS"
    with pytest.raises(Unavailable):
        invalidate(own, "acme", ["aso_stats"])
    server.start()
    clock.now += PAUSE
    assert [state(own), state(own)] == ["MISS", "HIT"]


def test_a_restart_that_nobody_noticed_is_no_outage(own: Clients, server: Server) -> None:
    assert [state(own), state(own)] == ["MISS", "HIT"]
    server.die()
    server.start()
    assert [state(own), state(own)] == ["MISS", "HIT"], "the broken connection was replaced at once"


def test_background_work_insists(own: Clients, server: Server) -> None:
    assert state(own) == "MISS"
    server.hang()
    assert state(own) == "BYPASS"
    server.go_on()
    invalidate(own, "acme", ["aso_stats"])
    assert state(own) == "MISS", "an answer ends the outage for everybody"


def test_during_an_outage_one_caller_in_a_while_tries(clock: Clock) -> None:
    outage = Outage(clock)
    assert outage.may_try()
    outage.began()
    assert not outage.may_try()
    clock.now += PAUSE
    tries: list[bool] = []
    threads = [threading.Thread(target=lambda: tries.append(outage.may_try())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(tries) == [False] * 7 + [True]
    outage.ended()
    assert outage.may_try()


def test_a_mistake_of_ours_is_not_taken_for_an_outage(own: Clients) -> None:
    key = uuid.uuid4().hex
    with_redis(own, lambda client: client.set(key, "text"))
    with pytest.raises(redis.ResponseError):
        with_redis(own, lambda client: client.incr(key))
    assert with_redis(own, lambda client: client.get(key)) == b"text"


def test_a_full_redis_is_of_no_use(own: Clients) -> None:
    with_redis(own, lambda client: client.config_set("maxmemory", "1"))
    with pytest.raises(RedisDown):
        with_redis(own, lambda client: client.set("key", "value"))
    assert state(own) in {"MISS", "BYPASS"}
    assert consume(context_of(own), "standard") is not None
