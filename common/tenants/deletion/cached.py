"""Keys of Redis with the tenant in their name: cached answers, counters, leases. None of it is a record."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from common.context import Context
from common.errors import Unavailable
from common.redis_access import RedisDown, with_redis

BATCH = 1000
"""Keys looked at with one call."""


class Cached:
    """Keys in which the tenant's id stands by itself; one tenant's id may be part of another's."""

    def count(self, context: Context) -> Mapping[str, int]:
        """Return the number of keys."""
        count = sum(len(keys) for keys in self._keys(context))
        return {"keys": count} if count else {}

    def erase(self, context: Context, alive: Callable[[], None]) -> None:
        """Delete them.

        Raises:
            Unavailable: Redis does not answer; what it may hold would outlive the tenant.
        """
        for keys in self._keys(context):
            if keys:
                _use(context, functools.partial(_delete, keys))
            alive()

    @staticmethod
    def _keys(context: Context) -> Iterator[list[bytes]]:
        if not context.clients.settings.redis_url:
            return
        tenant = re.escape(context.tenant_id.encode())
        own = re.compile(rb"(?<![a-z0-9_])" + tenant + rb"(?![a-z0-9_])")
        cursor = 0
        while True:
            cursor, found = _use(context, functools.partial(_scan, cursor, context.tenant_id))
            yield [key for key in found if own.search(key)]
            if cursor == 0:
                return


def _scan(cursor: int, tenant_id: str, client: Any) -> Any:
    return client.scan(cursor, match=f"*{tenant_id}*", count=BATCH)


def _delete(keys: list[bytes], client: Any) -> Any:
    return client.delete(*keys)


def _use(context: Context, use: Callable[[Any], Any]) -> Any:
    try:
        return with_redis(context.clients, use, insist=True)
    except RedisDown as error:
        raise Unavailable("redis", f"Redis cannot be searched: {error}") from error
