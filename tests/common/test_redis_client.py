"""The Redis client's own way of sending single commands."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from common.clients.redis import redis_client
from common.settings import Settings


@pytest.fixture
def client(settings: Settings) -> Iterator[redis.Redis]:
    made = redis_client(settings)
    assert made is not None
    yield made
    made.close()


def test_an_answer_that_came_too_late_is_not_taken_for_the_next_one(client: redis.Redis) -> None:
    client.set("word", "right")
    with pytest.raises(redis.TimeoutError):
        client.blpop(["nothing"], timeout=2)
    assert client.get("word") == b"right"


def test_a_refusal_is_read_to_its_end(client: redis.Redis) -> None:
    client.set("word", "right")
    before = client.client_id()
    with pytest.raises(redis.ResponseError):
        client.incr("word")
    assert client.get("word") == b"right"
    assert client.client_id() == before


def test_a_connection_that_was_cut_is_replaced(client: redis.Redis, settings: Settings) -> None:
    client.set("word", "right")
    with redis.Redis.from_url(settings.redis_url) as other:
        other.client_kill_filter(_id=str(client.client_id()))
    assert client.get("word") == b"right"


def test_threads_get_their_own_answers(client: redis.Redis) -> None:
    for number in range(50):
        client.set(f"number-{number}", number)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda number: client.get(f"number-{number}"), [*range(50)] * 20))
    assert found == [str(number).encode() for number in range(50)] * 20


def test_a_closed_client_leaves_no_connection(client: redis.Redis, settings: Settings) -> None:
    made = client.client_id()
    client.close()
    with redis.Redis.from_url(settings.redis_url) as other:
        assert str(made) not in {each["id"] for each in other.client_list()}
