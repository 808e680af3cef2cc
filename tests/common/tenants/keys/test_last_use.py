"""When keys were used last: noted in Redis, written down by a schedule, the newest moment winning."""

from __future__ import annotations

import dataclasses
import random
import time
import uuid
from datetime import UTC, datetime

import pytest

from common import key_use
from common.auth import authenticate
from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.context import Deadline
from common.key_use import NOTED, Noted, noted
from common.settings import Settings
from common.tenants.keys import last_use
from tests.common.security import (
    Clock,
    commands_of,
    context_of,
    operator_context,
    store_key,
    store_tenant,
    without_redis,
)


@pytest.fixture
def own(settings: Settings) -> Clients:
    """Clients of a process of its own, with one active tenant."""
    clients = Clients(settings)
    store_tenant(clients, "acme")
    return clients


def used(clients: Clients, *key_ids: str, tenant_id: str = "acme") -> dict[str, datetime]:
    return last_use.of(context_of(clients, tenant_id), key_ids)


def flush(clients: Clients) -> int:
    return last_use.flush(operator_context(clients))


def pending(clients: Clients) -> dict[tuple[str, str], int]:
    return key_use.pending(clients, 1000)


def note(clients: Clients, key_id: str, second: int) -> None:
    """Note a use at a moment of choice."""
    client = clients.get(redis_client)
    assert client is not None
    client.zadd(key_use.USED, {f"acme:{key_id}": second}, gt=True)


def test_a_use_is_shown_after_the_next_run_of_the_schedule(own: Clients) -> None:
    key_id = uuid.uuid4().hex
    key, before = store_key(own, key_id=key_id), int(time.time())
    authenticate(own, {"X-API-Key": key})
    assert used(own, key_id) == {}
    assert flush(own) >= 1
    assert before <= used(own, key_id)[key_id].timestamp() <= time.time()
    assert used(own, key_id, tenant_id="another") == {}, "nobody else learns of it"
    assert flush(own) == 0, "only keys used since are written"


def test_a_process_notes_a_key_once_in_five_minutes(own: Clients) -> None:
    clock, key = Clock(), store_key(own, key_id=uuid.uuid4().hex)
    own.replace(noted, Noted(clock))
    with commands_of(own) as commands:
        for _ in range(20):
            authenticate(own, {"X-API-Key": key})
    assert commands == ["ZADD", "SET"]
    clock.now += NOTED
    with commands_of(own) as commands:
        authenticate(own, {"X-API-Key": key})
    assert commands == ["ZADD", "SET"]


@pytest.mark.parametrize("seed", range(3))
def test_the_newest_moment_wins_in_whatever_order_they_arrive(own: Clients, seed: int) -> None:
    key_id, seconds = uuid.uuid4().hex, [1_900_000_000 + offset for offset in range(0, 50, 7)]
    random.Random(seed).shuffle(seconds)
    for second in seconds:
        note(own, key_id, second)
        flush(own)
    assert used(own, key_id) == {key_id: datetime.fromtimestamp(max(seconds), UTC)}


def test_a_use_during_the_flush_is_not_lost(own: Clients) -> None:
    key_id = uuid.uuid4().hex
    note(own, key_id, 1_900_000_000)
    taken = pending(own)
    note(own, key_id, 1_900_000_007)
    key_use.take(own, taken)
    assert pending(own)["acme", key_id] == 1_900_000_007
    flush(own)
    assert ("acme", key_id) not in pending(own)


def test_more_keys_than_one_batch_holds_are_written(own: Clients) -> None:
    names = [uuid.uuid4().hex for _ in range(last_use.AT_ONCE + 5)]
    client = own.get(redis_client)
    assert client is not None
    client.zadd(key_use.USED, {f"acme:{name}": 1_900_000_000 for name in names})
    assert flush(own) >= len(names)
    assert used(own, *names).keys() == set(names)


def test_without_redis_no_use_is_known_and_nothing_fails(own: Clients) -> None:
    key_id = uuid.uuid4().hex
    key = store_key(own, key_id=key_id)
    without_redis(own)
    assert authenticate(own, {"X-API-Key": key}).id == key_id
    assert flush(own) == 0
    assert used(own, key_id) == {}


def test_what_ran_out_of_time_is_left_for_the_next_run(own: Clients) -> None:
    note(own, uuid.uuid4().hex, 1_900_000_000)
    short = dataclasses.replace(operator_context(own), deadline=Deadline.after(last_use.LEFT / 2))
    assert last_use.flush(short) == 0
    assert pending(own)
