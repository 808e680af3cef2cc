"""Using Redis when it may be down: whoever finds it down spares everybody else the wait for a few seconds.

Redis makes this platform faster and never decides whether it works. So a failure is one exception, ``RedisDown``, which
every user of Redis answers with its way of going without.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import redis

from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.errors import XynergyError
from common.settings import Settings

Result = TypeVar("Result")

PAUSE = 5.0
"""Seconds for which nobody tries after a failure; then one caller does, while the others still go without."""

OF_NO_USE = re.compile(r"\b(OOM|READONLY|LOADING|MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|BUSY) ")
"""Conditions of a server that is there and cannot serve: full, a replica in a failover, starting. Sought in the text
because an error within a script comes without a class of its own."""

NEVER = float("-inf")


class RedisDown(XynergyError):
    """Redis is not there, or did not answer lately."""


class Outage:
    """Whether Redis was found down lately; thread-safe.

    Attributes:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._retry_at = NEVER
        self._lock = threading.Lock()

    def may_try(self) -> bool:
        """Tell whether the caller should use Redis; during an outage one caller in ``PAUSE`` seconds should."""
        if self._retry_at == NEVER:  # the usual case takes no lock
            return True
        with self._lock:
            now = self.clock()
            if now < self._retry_at:
                return False
            self._retry_at = NEVER if self._retry_at == NEVER else now + PAUSE
            return True

    def began(self) -> None:
        """Note a failure."""
        with self._lock:
            self._retry_at = self.clock() + PAUSE

    def ended(self) -> None:
        """Note an answer."""
        if self._retry_at != NEVER:
            with self._lock:
                self._retry_at = NEVER


def redis_outage(settings: Settings) -> Outage:
    """Build the memory of one process (a factory for ``Clients.get``)."""
    del settings  # one process has one Redis
    return Outage()


def with_redis(clients: Clients, use: Callable[[redis.Redis], Result], *, insist: bool = False) -> Result:
    """Return ``use(client)``.

    Args:
        clients: Clients of outside services.
        use: What to do; may run twice if a connection breaks.
        insist: Try even if Redis was down a moment ago, for work that nobody waits for.

    Raises:
        RedisDown: There is no Redis, it does not answer, or it did not a moment ago.
    """
    client = clients.get(redis_client)
    if client is None:
        raise RedisDown("the deployment has no Redis")
    outage = clients.get(redis_outage)
    if not insist and not outage.may_try():
        raise RedisDown("Redis did not answer a moment ago")
    try:
        result = use(client)
    except (redis.ConnectionError, redis.TimeoutError) as error:
        outage.began()
        raise RedisDown(f"Redis does not answer: {error}") from error
    except redis.ResponseError as error:
        if not OF_NO_USE.search(str(error)) and not isinstance(error, redis.ReadOnlyError | redis.OutOfMemoryError):
            raise
        raise RedisDown(f"Redis refuses: {error}") from error
    outage.ended()
    return result
