"""Which API keys are in use: noted in Redis while requests are served, written down by a schedule.

Functions that only read may not write to Firestore, and a write a request would cost more than the request. So a
process notes the use of a key once in ``NOTED`` seconds, under two names in Redis:

* ``key_use``, a sorted set of ``tenant:key`` by the second of their newest use. ``common.tenants.keys.last_use`` takes
  from it what it has written down; it holds keys that were let in only, so nobody can fill it;
* ``known_key:<hash>`` for a week: keys of which an address that tries many wrong ones may still ask Firestore
  (``common.gate``).

Without Redis nothing is noted, and nothing else changes.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from common.clients.registry import Clients
from common.redis_access import RedisDown, with_redis
from common.settings import Settings

USED = "key_use"
NOTED = 300.0
"""Seconds for which a process notes the use of a key once."""
KNOWN_SECONDS = 7 * 86_400
REMEMBERED = 4096
"""Keys of which a process remembers that it has noted them."""

TAKE_UNCHANGED = b"""
for index = 1, #ARGV, 2 do
    if redis.call('ZSCORE', KEYS[1], ARGV[index]) == ARGV[index + 1] then
        redis.call('ZREM', KEYS[1], ARGV[index])
    end
end
"""
"""Drops what was not used again since it was read."""


class Noted:
    """When this process notes the use of a key again; thread-safe.

    Attributes:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._until: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def is_due(self, key_id: str) -> bool:
        """Tell whether a use is to be noted now; of several threads that ask at once, one is told so."""
        now = self.clock()
        if self._until.get(key_id, now) > now:  # the usual case takes no lock
            return False
        with self._lock:
            if self._until.get(key_id, now) > now:
                return False
            self._until[key_id] = now + NOTED
            self._until.move_to_end(key_id)
            while len(self._until) > REMEMBERED:
                self._until.popitem(last=False)
            return True


def noted(settings: Settings) -> Noted:
    """Build the memory of one process (a factory for ``Clients.get``)."""
    del settings  # nothing about it can be set
    return Noted()


def note(clients: Clients, tenant_id: str, key_id: str, digest: str) -> None:
    """Note that a key was let in, if this process has not done so lately; never fails."""
    if not clients.get(noted).is_due(key_id):
        return

    def write(client: Any) -> None:
        client.execute_command("ZADD", USED, "GT", int(time.time()), f"{tenant_id}:{key_id}")
        client.execute_command("SET", _known(digest), 1, "EX", KNOWN_SECONDS)

    _if_there(clients, write)


def expect(clients: Clients, digest: str) -> None:
    """Let a new key be known before its first use."""
    _if_there(clients, lambda client: client.execute_command("SET", _known(digest), 1, "EX", KNOWN_SECONDS))


def is_known(clients: Clients, digest: str) -> bool:
    """Tell whether a key with this hash was let in or made within a week.

    Raises:
        RedisDown: Nobody can tell.
    """
    return bool(with_redis(clients, lambda client: client.exists(_known(digest))))


def pending(clients: Clients, at_most: int) -> dict[tuple[str, str], int]:
    """Return the second of the newest noted use by tenant and key, the longest unused first.

    Raises:
        RedisDown: Redis does not answer.
    """
    found: Any = with_redis(clients, lambda client: client.zrange(USED, 0, at_most - 1, withscores=True), insist=True)
    uses = {}
    for member, second in found:
        tenant_id, _, key_id = member.decode().partition(":")
        uses[tenant_id, key_id] = int(second)
    return uses


def take(clients: Clients, uses: Mapping[tuple[str, str], int]) -> None:
    """Drop uses that are written down; a key that was used again meanwhile stays.

    Raises:
        RedisDown: Redis does not answer; what was written down will be written again, to no effect.
    """
    named = {f"{tenant_id}:{key_id}": second for (tenant_id, key_id), second in uses.items()}
    arguments = [part for use in named.items() for part in use]

    def drop(client: Any) -> None:
        client.execute_command("EVAL", TAKE_UNCHANGED, 1, USED, *arguments)

    with_redis(clients, drop, insist=True)


def _if_there(clients: Clients, use: Callable[[Any], object]) -> None:
    try:
        with_redis(clients, use)
    except RedisDown:
        return


def _known(digest: str) -> str:
    return f"known_key:{digest[:32]}"
