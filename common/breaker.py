"""Circuit breakers: a dependency that keeps failing is left alone for a while, by all instances together.

After five failures in a row a breaker opens and refuses calls for a minute; then one caller may probe, and its outcome
closes the breaker or opens it for another minute (document 004). The state is a small value in Redis that is read,
worked out here and written back only if nobody has changed it meanwhile, so the rules exist once, in ``BreakerState``,
and hold for any number of instances. While Redis is down each process goes on with what it saw last.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Literal, cast

import redis

from common import logs
from common.clients.registry import Clients
from common.errors import Unavailable
from common.redis_access import RedisDown, with_redis
from common.settings import Settings

COMPARE_AND_SET = """
local stored = redis.call('GET', KEYS[1])
if (stored or '') ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""

OPENED = "breaker opened"
"""Message of the log line that Terraform's alert counts."""

LIFETIME = 86_400
"""Seconds after which Redis forgets a breaker that nobody uses."""

CONTENDED = 50
"""Attempts to write a state that others write as well, before this process goes on with its own view."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """When a breaker opens and how it closes again.

    Attributes:
        failures: Failures in a row that open it.
        cool_down: Seconds for which it stays open.
        probe_lifetime: Seconds after which a probe whose caller vanished no longer counts as under way.
    """

    failures: int = 5
    cool_down: float = 60.0
    probe_lifetime: float = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerState:
    """The state of one breaker; every transition returns a new one.

    Attributes:
        failure_count: Failures in a row.
        opened_at: When it opened, in seconds since the epoch; None while it is closed.
        probe: Token of the probe under way; empty if there is none.
        probe_until: When that probe stops to count.
    """

    failure_count: int = 0
    opened_at: float | None = None
    probe: str = ""
    probe_until: float = 0.0

    def name(self, rules: Rules, now: float) -> Literal["CLOSED", "OPEN", "HALF_OPEN"]:
        """Return the state's name of document 000."""
        if self.opened_at is None:
            return "CLOSED"
        return "OPEN" if now < self.opened_at + rules.cool_down else "HALF_OPEN"

    def entered(self, rules: Rules, now: float, token: str) -> BreakerState | None:
        """Return the state after a call has begun, or None where the call is refused.

        The caller is the probe if its token is in the new state.
        """
        name = self.name(rules, now)
        if name == "CLOSED":
            return self
        if name == "OPEN" or (self.probe and now < self.probe_until):
            return None
        return replace(self, probe=token, probe_until=now + rules.probe_lifetime)

    def succeeded(self, token: str) -> BreakerState:
        """Return the state after a call went well."""
        if self.opened_at is None:
            return replace(self, failure_count=0)
        # A call from before the opening says nothing about the dependency as it is now; only the probe does.
        return BreakerState() if token == self.probe else self

    def failed(self, rules: Rules, now: float, token: str) -> BreakerState:
        """Return the state after a call failed."""
        if self.opened_at is None:
            count = self.failure_count + 1
            return replace(self, failure_count=count, opened_at=now if count >= rules.failures else None)
        if token != self.probe:
            return self
        return BreakerState(failure_count=self.failure_count + 1, opened_at=now)

    def abandoned(self, token: str) -> BreakerState:
        """Return the state after a call ended in a way that says nothing about the dependency."""
        return replace(self, probe="", probe_until=0.0) if self.probe and token == self.probe else self

    def retry_after(self, rules: Rules, now: float) -> int:
        """Return the seconds after which a refused caller should try again."""
        opens = (self.opened_at or now) + rules.cool_down
        return max(1, round(max(opens, self.probe_until if self.probe else 0.0) - now))


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerStatus:
    """What the dashboard shows of a breaker (``service_status.circuit_breaker`` of document 000).

    Attributes:
        state: ``CLOSED``, ``OPEN`` or ``HALF_OPEN``.
        failure_count: Failures in a row.
    """

    state: Literal["CLOSED", "OPEN", "HALF_OPEN"]
    failure_count: int


class LastSeen:
    """The states as this process saw them last, by key; thread-safe."""

    def __init__(self) -> None:
        self._states: dict[str, BreakerState] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> BreakerState:
        """Return the state; a breaker nobody has used is closed."""
        with self._lock:
            return self._states.get(key, BreakerState())

    def put(self, key: str, state: BreakerState) -> None:
        """Remember what Redis holds."""
        with self._lock:
            self._states[key] = state

    def change(self, key: str, change: Callable[[BreakerState], BreakerState | None]) -> BreakerState | None:
        """Apply a transition without Redis."""
        with self._lock:
            state = change(self._states.get(key, BreakerState()))
            if state is not None:
                self._states[key] = state
            return state


def breakers_seen(settings: Settings) -> LastSeen:
    """Build the memory of one process (a factory for ``Clients.get``)."""
    del settings
    return LastSeen()


class Breaker:
    """The breaker of one dependency.

    Args:
        name: Name of the dependency, such as ``openai``.
        clients: Clients of outside services.
        counts: Errors that say the dependency is failing. Others say nothing about it, neither good nor bad.
        rules: When it opens and closes.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        name: str,
        clients: Clients,
        *,
        counts: tuple[type[Exception], ...] = (Unavailable,),
        rules: Rules = Rules(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._clients = clients
        self._counts = counts
        self._rules = rules
        self._clock = clock
        self._key = f"breaker:{name}"

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Guard one call.

        Raises:
            Unavailable: The breaker is open; nothing was called.
        """
        token = self.enter()
        try:
            yield
        except self._counts:
            self.failed(token)
            raise
        except BaseException:
            self.abandoned(token)
            raise
        self.succeeded(token)

    def enter(self) -> str:
        """Begin a call and return its token; ``guard`` does this and what follows.

        Raises:
            Unavailable: The breaker is open.
        """
        token = secrets.token_hex(8)
        now = self._clock()
        if self._change(lambda state: state.entered(self._rules, now, token)) is None:
            refused = self._seen.get(self._key)
            raise Unavailable(
                self.name,
                f"{self.name} failed {refused.failure_count} times in a row and is left alone for a while",
                retry_after=refused.retry_after(self._rules, now),
            )
        return token

    def succeeded(self, token: str) -> None:
        """End a call that went well."""
        self._change(lambda state: state.succeeded(token))

    def failed(self, token: str) -> None:
        """End a call that failed."""
        now, opened = self._clock(), False

        def change(state: BreakerState) -> BreakerState:
            nonlocal opened
            after = state.failed(self._rules, now, token)
            opened = after.opened_at != state.opened_at
            return after

        state = self._change(change)
        if opened and state is not None:
            logs.bound(self._clients.settings, breaker=self.name).error(OPENED, failure_count=state.failure_count)

    def abandoned(self, token: str) -> None:
        """End a call whose outcome says nothing about the dependency."""
        self._change(lambda state: state.abandoned(token))

    def status(self) -> BreakerStatus:
        """Return the state for the dashboard."""
        try:
            state = self._read(with_redis(self._clients, lambda client: cast("bytes | None", client.get(self._key))))
        except RedisDown:
            state = self._seen.get(self._key)
        return BreakerStatus(state=state.name(self._rules, self._clock()), failure_count=state.failure_count)

    @property
    def _seen(self) -> LastSeen:
        return self._clients.get(breakers_seen)

    def _change(self, change: Callable[[BreakerState], BreakerState | None]) -> BreakerState | None:
        try:
            return with_redis(self._clients, lambda client: self._change_shared(client, change))
        except RedisDown:
            return self._seen.change(self._key, change)

    def _change_shared(
        self, client: redis.Redis, change: Callable[[BreakerState], BreakerState | None]
    ) -> BreakerState | None:
        """Read, decide, and write if nobody else has written; a call that changes nothing costs the reading only."""
        for _ in range(CONTENDED):
            stored = cast("bytes | None", client.get(self._key))
            state = self._read(stored)
            self._seen.put(self._key, state)
            changed = change(state)
            if changed is None or changed == state:
                return changed
            arguments = (self._key, stored or b"", self._written(changed), LIFETIME)
            if client.eval(COMPARE_AND_SET, 1, *arguments):
                self._seen.put(self._key, changed)
                return changed
        raise RedisDown(f"breaker {self.name}: too many others write at once")

    @staticmethod
    def _read(stored: bytes | None) -> BreakerState:
        return BreakerState(**json.loads(stored)) if stored else BreakerState()

    @staticmethod
    def _written(state: BreakerState) -> bytes:
        return json.dumps(asdict(state), separators=(",", ":")).encode()
