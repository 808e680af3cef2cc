"""Rate limits: how many calls a minute a key of a tenant may make, counted in Redis for all instances together.

A window begins with a key's first call and lasts a minute (``limits``' fixed window, which unlike a clock-aligned one
does not let every key start anew at the same second). A moving window would need a list of times per key and a second
round trip to tell what remains; this costs one round trip of constant size, and lets through twice the limit at worst
across the border of two windows, which protects the platform as well.

The count is per tenant, key and tier: one runaway key of a tenant does not lock out its other keys, and calls to an
expensive operation do not use up the budget of the cheap ones.
"""

from __future__ import annotations

import functools
import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage

from common.context import Context
from common.errors import TooManyRequests
from common.redis_access import RedisDown, with_redis
from common.settings import Settings

WINDOW = 60
"""Seconds."""

COUNT_AND_TIME_LEFT = b"""
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    left = tonumber(ARGV[1])
end
return {count, left}
"""
COUNT_AND_TIME_LEFT_DIGEST = hashlib.sha1(COUNT_AND_TIME_LEFT, usedforsecurity=False).hexdigest()
"""The name Redis knows the script by, once it has run it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RateState:
    """Where a key stands after a call.

    Attributes:
        tier: Name of the tier.
        limit: Calls in a window.
        count: Calls in this window, this one included.
        reset: Seconds until the window ends.
    """

    tier: str
    limit: int
    count: int
    reset: float

    @property
    def is_exceeded(self) -> bool:
        """Whether this call was one too many."""
        return self.count > self.limit

    def headers(self) -> dict[str, str]:
        """Return the response headers.

        ``RateLimit`` and ``RateLimit-Policy`` as in draft-ietf-httpapi-ratelimit-headers (structured fields: ``q`` is
        the quota, ``w`` the window in seconds, ``r`` what remains, ``t`` the seconds until it is filled up again), and
        ``Retry-After`` on a refusal.
        """
        reset = max(1, math.ceil(self.reset))
        headers = {
            "RateLimit": f'"{self.tier}";r={max(0, self.limit - self.count)};t={reset}',
            "RateLimit-Policy": f'"{self.tier}";q={self.limit};w={WINDOW}',
        }
        if self.is_exceeded:
            headers["Retry-After"] = str(reset)
        return headers


class SharedWindows(RedisStorage):
    """The windows in Redis, read and counted in one round trip (the library's own fixed window needs three)."""

    def initialize_storage(self, _uri: str) -> None:
        """Register none of the library's six scripts."""

    def hit(self, client: redis.Redis, key: str) -> tuple[int, float]:
        """Count a call; return the calls in the window and the seconds it still lasts."""
        execute: Callable[..., tuple[int, int]] = client.execute_command
        arguments = (1, self.prefixed_key(key), WINDOW * 1000)
        try:
            count, left = execute("EVALSHA", COUNT_AND_TIME_LEFT_DIGEST, *arguments)
        except redis.exceptions.NoScriptError:
            count, left = execute("EVAL", COUNT_AND_TIME_LEFT, *arguments)
        return int(count), int(left) / 1000


class Windows:
    """Where one process counts: in Redis, or by itself while Redis is down; thread-safe.

    Attributes:
        limits: Calls a minute by tier.
    """

    def __init__(self, settings: Settings) -> None:
        self.limits = {tier: RateLimitItemPerMinute(calls, namespace="rate") for tier, calls in settings.rate_limits}
        self._shared: SharedWindows | None = None

    def hit(self, client: redis.Redis, key: str) -> tuple[int, float]:
        """Count a call in Redis; return the calls in the window and the seconds it still lasts."""
        shared = self._shared
        if shared is None or shared.storage.connection_pool is not client.connection_pool:
            shared = SharedWindows("redis://", connection_pool=client.connection_pool, key_prefix="limits")
            self._shared = shared
        return shared.hit(client, key)

    def hit_locally(self, key: str) -> tuple[int, float]:
        """Count a call in this process only: looser than the shared windows, but never an error."""
        count = self._local.incr(key, WINDOW)
        return count, self._local.get_expiry(key) - time.time()

    @functools.cached_property
    def _local(self) -> MemoryStorage:
        # Built when it is needed: it starts a thread that drops what has expired.
        return MemoryStorage()


def rate_windows(settings: Settings) -> Windows:
    """Build the windows of one process (a factory for ``Clients.get``)."""
    return Windows(settings)


def consume(context: Context, tier: str) -> RateState | None:
    """Count a call and return where the key stands.

    Args:
        context: Tenant and principal of the call.
        tier: ``standard``, ``expensive``, ``ai``, or ``none`` for operations without a limit.

    Returns:
        None where nothing is counted: tier ``none``, our own deliveries, and anonymous callers, whom nothing tells
        apart here.

    Raises:
        TooManyRequests: ``rate_limited``; the limit of the tier is used up.
    """
    principal = context.principal
    if tier == "none" or principal.kind in {"service", "anonymous"}:
        return None
    windows = context.clients.get(rate_windows)
    item = windows.limits[tier]
    key = item.key_for(context.tenant_id, principal.id, tier)
    try:
        count, left = with_redis(context.clients, lambda client: windows.hit(client, key))
    except RedisDown:
        count, left = windows.hit_locally(key)
    state = RateState(tier=tier, limit=item.amount, count=count, reset=left)
    if state.is_exceeded:
        raise TooManyRequests(
            "rate_limited",
            f"More than {state.limit} {tier} calls a minute with this key",
            headers=state.headers(),
            details={"tier": tier, "limit": state.limit},
        )
    return state
