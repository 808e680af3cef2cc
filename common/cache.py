"""Cache-aside answers: exact JSON bytes in Redis, by tenant and namespace, invalidated at a cost that never grows.

Every tenant's namespace has a *generation*: a random token under ``generation:{namespace}:{tenant}``. An answer is
stored with the token its computation began under, and is served only while that is still the current one. To invalidate
is to set a new token: one write, whatever the number of keys. Therefore:

* a computation that an invalidation overtook stores nothing, and could store nothing that would be served;
* a token that expired or was evicted is replaced by a new random one, which no stored answer carries: forgetting it can
  only cost a computation. (A counter would start again at a number it has had before.)

A hit is one ``MGET`` of token and answer. Answers of old generations are overwritten or expire.

Within a process one request computes a missing answer and the others wait for it, provided they asked under the same
token: joining a computation that began before an invalidation would serve what the invalidation was to remove. There is
no lock across processes: it would save at most one computation an instance and generation, and would make every reader
wait for a computing process that died.
"""

from __future__ import annotations

import hashlib
import json
import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import redis

from common.answers import Cached, Page
from common.clients.registry import Clients
from common.context import Context
from common.entity import Namespace
from common.errors import Unavailable
from common.model import Model
from common.redis_access import RedisDown, with_redis
from common.render import render
from common.settings import Settings
from common.single_flight import SingleFlight

GENERATION_LIFETIME = 7 * 86_400
"""Seconds. When a generation ends unused, its answers are gone already: every TTL is shorter."""

JITTER = 0.1
"""Share of the TTL by which answers expire earlier at random: what was filled together shall not expire together."""

LARGEST = 1_048_576
"""Bytes of an answer that is still stored: larger ones would push out many small ones for few hits."""

STORE_IF_CURRENT = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
end
"""
"""Without the condition a late answer of an old generation would push out the current one, to nobody's use."""

Answer = Model | Page[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    generation: bytes
    computed_at: float
    next_cursor: str | None
    body: bytes

    def pack(self) -> bytes:
        """Return the stored form: a header line, then the body as it is sent."""
        cursor = (self.next_cursor or "").encode()
        return b"%b %d %b\n%b" % (self.generation, round(self.computed_at * 1000), cursor, self.body)

    @classmethod
    def unpack(cls, stored: bytes) -> _Entry:
        header, _, body = stored.partition(b"\n")
        generation, computed_at, cursor = header.split(b" ", 2)
        return cls(
            generation=generation,
            computed_at=int(computed_at) / 1000,
            next_cursor=cursor.decode() or None,
            body=body,
        )

    def cached(self, state: Literal["HIT", "MISS", "BYPASS"]) -> Cached[Any]:
        age = max(0, int(time.time() - self.computed_at))
        return Cached(body=self.body, state=state, age=age, next_cursor=self.next_cursor)


def cache_flights(settings: Settings) -> SingleFlight[tuple[str, bytes], _Entry]:
    """Build the computations under way in one process (a factory for ``Clients.get``)."""
    del settings
    return SingleFlight()


def generation_key(namespace: str, tenant_id: str) -> str:
    """Return the Redis key of a generation token."""
    return f"generation:{namespace}:{tenant_id}"


def answer_key(namespace: str, tenant_id: str, parameters: Mapping[str, object]) -> str:
    """Return the Redis key of an answer: equal for equal parameters in any order."""
    canonical = json.dumps(parameters, sort_keys=True, separators=(",", ":"), default=str)
    return f"{namespace}:{tenant_id}:{hashlib.sha256(canonical.encode()).hexdigest()}"


def read_through(
    context: Context, namespace: Namespace, parameters: Mapping[str, object], compute: Callable[[], Answer]
) -> Cached[Any]:
    """Return an answer from the cache, or compute and store it.

    Args:
        context: Tenant, clients and deadline.
        namespace: Where the answer belongs; gives the TTL.
        parameters: Everything the answer depends on, besides the tenant.
        compute: Computes the answer. Its errors reach every request that waits for it and are not stored.

    Returns:
        The answer: ``HIT`` with its age, ``MISS``, or ``BYPASS`` where Redis is down.

    Raises:
        Unavailable: Another request computes the same answer for longer than this one may take.
    """
    key = answer_key(namespace.name, context.tenant_id, parameters)
    token_key = generation_key(namespace.name, context.tenant_id)
    try:
        generation, entry = with_redis(context.clients, lambda client: _look_up(client, token_key, key))
    except RedisDown:
        return _computed(b"", compute).cached("BYPASS")
    if entry is not None:
        return entry.cached("HIT")
    flights = context.clients.get(cache_flights)
    try:
        filled = flights.run(
            (key, generation),
            lambda: _fill(context, namespace, key, generation, compute),
            patience=context.deadline.remaining,
        )
    except TimeoutError:
        raise Unavailable("cache", "The answer is still being computed", retry_after=1) from None
    return filled.cached("MISS")


def invalidate(clients: Clients, tenant_id: str, namespace_names: Iterable[str]) -> None:
    """Make everything stored in a tenant's namespaces stale; when this returns, none of it will be served.

    Raises:
        Unavailable: Redis does not answer; the caller must try again, because other processes may still reach it.
    """
    keys = [generation_key(name, tenant_id) for name in namespace_names]
    if not keys or not clients.settings.redis_url:
        return

    def renew(client: redis.Redis) -> None:
        with client.pipeline(transaction=True) as pipe:
            for key in keys:
                pipe.set(key, _new_generation(), ex=GENERATION_LIFETIME)
            pipe.execute()

    try:
        with_redis(clients, renew, insist=True)
    except RedisDown as error:
        raise Unavailable("redis", f"caches cannot be invalidated: {error}") from error


def _look_up(client: redis.Redis, token_key: str, key: str) -> tuple[bytes, _Entry | None]:
    generation, stored = cast("list[bytes | None]", client.mget(token_key, key))
    if generation is None:
        with client.pipeline(transaction=True) as pipe:
            pipe.set(token_key, _new_generation(), nx=True, ex=GENERATION_LIFETIME)
            pipe.get(token_key)
            return cast("bytes", pipe.execute()[1]), None
    if stored is None:
        return generation, None
    entry = _Entry.unpack(stored)
    return generation, entry if entry.generation == generation else None


def _fill(context: Context, namespace: Namespace, key: str, generation: bytes, compute: Callable[[], Answer]) -> _Entry:
    # A flight may have landed between this request's look-up and its turn; what it stored is as good as a new one.
    try:
        stored = with_redis(context.clients, lambda client: cast("bytes | None", client.get(key)))
    except RedisDown:
        stored = None
    if stored is not None:
        entry = _Entry.unpack(stored)
        if entry.generation == generation:
            return entry
    entry = _computed(generation, compute)
    if len(entry.body) <= LARGEST:
        lifetime = round(namespace.ttl * 1000 * (1 - random.uniform(0, JITTER)))  # noqa: S311 no secret
        stored_form = (generation, entry.pack(), lifetime)
        try:
            with_redis(
                context.clients,
                lambda client: client.eval(
                    STORE_IF_CURRENT, 2, generation_key(namespace.name, context.tenant_id), key, *stored_form
                ),
            )
        except RedisDown:
            return entry  # computed and correct; only the next request will have to compute it again
    return entry


def _computed(generation: bytes, compute: Callable[[], Answer]) -> _Entry:
    # The age counts from before the computation: what it reads may change while it runs.
    started = time.time()
    answer = compute()
    cursor = answer.next_cursor if isinstance(answer, Page) else None
    return _Entry(generation=generation, computed_at=started, next_cursor=cursor, body=render(answer))


def _new_generation() -> str:
    return secrets.token_hex(16)
