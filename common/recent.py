"""A small cache of what a process has read lately: bounded, with an age limit, and of use while the source is down."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from common.errors import Unavailable
from common.single_flight import SingleFlight

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(kw_only=True, slots=True)
class _Entry(Generic[Value]):
    value: Value | None
    read_at: float
    next_read: float


class Recent(Generic[Key, Value]):
    """Values by key; thread-safe; one read per key at a time.

    Attributes:
        fresh: Seconds for which a value is served without asking again.
        missing: Seconds for which "there is none" is believed.
        stale: Age in seconds up to which a value is still served while its source is down.
        retry: Seconds between two attempts at a source that is down.
        size: Entries at most; the least recently used one gives way.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        fresh: float,
        missing: float,
        stale: float,
        retry: float = 5,
        size: int = 4096,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.fresh, self.missing, self.stale, self.retry, self.size = fresh, missing, stale, retry, size
        self.clock = clock
        self._entries: OrderedDict[Key, _Entry[Value]] = OrderedDict()
        self._lock = threading.Lock()
        self._reads: SingleFlight[Key, Value | None] = SingleFlight()

    def get(self, key: Key, read: Callable[[], Value | None]) -> Value | None:
        """Return the value of ``key``, by ``read`` where none is at hand that is young enough.

        Raises:
            Unavailable: ``read`` raised it, and no value younger than ``stale`` is at hand.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
                if self.clock() < entry.next_read:
                    return entry.value
        return self._reads.run(key, lambda: self._read(key, entry, read))

    def forget(self, key: Key) -> None:
        """Drop what is known of ``key``."""
        with self._lock:
            self._entries.pop(key, None)

    def knows(self, key: Key) -> bool:
        """Tell whether there is a value of ``key`` at hand that may still be served, be it only while others fail."""
        with self._lock:
            entry = self._entries.get(key)
            return entry is not None and entry.value is not None and self.clock() - entry.read_at <= self.stale

    def drop_older(self, seconds: float) -> None:
        """Drop every value that was read longer ago: for what must not outlive its time in memory."""
        with self._lock:
            now = self.clock()
            for key in [key for key, entry in self._entries.items() if now - entry.read_at > seconds]:
                del self._entries[key]

    def _read(self, key: Key, known: _Entry[Value] | None, read: Callable[[], Value | None]) -> Value | None:
        # The age counts from before the read: a change during the read must not be hidden for longer than ``fresh``.
        now = self.clock()
        try:
            value = read()
        except Unavailable:
            if known is None or known.value is None or now - known.read_at > self.stale:
                raise
            next_read = min(self.clock() + self.retry, known.read_at + self.stale)
            self._keep(key, _Entry(value=known.value, read_at=known.read_at, next_read=next_read))
            return known.value
        self._keep(
            key, _Entry(value=value, read_at=now, next_read=now + (self.missing if value is None else self.fresh))
        )
        return value

    def _keep(self, key: Key, entry: _Entry[Value]) -> None:
        with self._lock:
            self._entries[key] = entry
            self._entries.move_to_end(key)
            while len(self._entries) > self.size:
                self._entries.popitem(last=False)
