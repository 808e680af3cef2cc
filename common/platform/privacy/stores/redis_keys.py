"""Redis: cached answers, counters of rates, leases. Nothing of it is a record, so what names the person is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import redis

from common.cache import invalidate
from common.errors import Unavailable
from common.platform.privacy.needles import Needles
from common.platform.privacy.stores.port import Exported, Found, Walk
from common.redis_access import RedisDown, with_redis
from common.registry import entities, facts

BATCH = 500
"""Keys looked at with one call."""


class RedisKeys:
    """Keys of Redis that carry the tenant in their name."""

    name = "redis"
    hands_over = False

    def find(self, walk: Walk) -> Iterator[Found]:
        """Yield the keys that name the person, or whose value does."""
        for key in matching(walk):
            yield Found(kind=key.partition(b":")[0].decode(errors="replace"), name=repr(key), action="drop")

    def export(self, walk: Walk) -> Iterator[Exported]:
        """Yield nothing: whatever is here was computed from what other stores export."""
        del walk
        yield from ()

    def erase(self, walk: Walk) -> dict[str, int]:
        """Drop those keys, and make every cached answer of the tenant stale.

        Raises:
            Unavailable: Redis does not answer; answers it may still hold would outlive the person.
        """
        names = {name for entity in entities().values() for name in entity.caches}
        names |= {name for each in facts().values() for name in each.caches}
        invalidate(walk.context.clients, walk.context.tenant_id, sorted(names))
        keys = list(matching(walk))
        for start in range(0, len(keys), BATCH):
            _use(walk, lambda client, some=keys[start : start + BATCH]: client.delete(*some))
        return {"keys": len(keys)} if keys else {}


def matching(walk: Walk) -> Iterator[bytes]:
    """Yield the tenant's keys that have an identifier of the person in their name or value."""
    needles = Needles(walk.person)
    for key, value in every(walk):
        if needles.matches([key, value]):
            yield key


def every(walk: Walk) -> Iterator[tuple[bytes, Any]]:
    """Yield every key with the tenant in its name, and its value; nothing where there is no Redis."""
    if not walk.context.clients.settings.redis_url:
        return
    cursor = 0
    pattern = f"*{walk.context.tenant_id}*"
    while True:
        cursor, keys = _use(walk, lambda client, at=cursor: client.scan(at, match=pattern, count=BATCH))
        for key in keys:
            yield key, _use(walk, lambda client, key=key: _value(client, key))
        walk.alive()
        if cursor == 0:
            return


def _value(client: redis.Redis, key: bytes) -> Any:
    found: Any = client
    match found.type(key):
        case b"string":
            return found.get(key)
        case b"hash":
            return [part for pair in found.hgetall(key).items() for part in pair]
        case b"list":
            return found.lrange(key, 0, -1)
        case b"set":
            return list(found.smembers(key))
        case b"zset":
            return found.zrange(key, 0, -1)
        case _:
            return None


def _use(walk: Walk, use: Any) -> Any:
    """Use Redis; where it is down the walk has to come again, because what it holds comes back with it."""
    try:
        return with_redis(walk.context.clients, use, insist=True)
    except RedisDown as error:
        raise Unavailable("redis", f"Redis cannot be searched: {error}") from error
