"""One computation per key at a time within a process: whoever asks meanwhile gets the same result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SingleFlight(Generic[Key, Value]):
    """The computations under way, by key; thread-safe."""

    def __init__(self) -> None:
        self._flights: dict[Key, Future[Value]] = {}
        self._lock = threading.Lock()

    def run(self, key: Key, compute: Callable[[], Value], *, patience: float | None = None) -> Value:
        """Return the result of ``compute``, or of the computation of ``key`` that is under way.

        An error reaches everybody who waits and is not kept.

        Args:
            key: What is computed.
            compute: Called in this thread unless another one computes ``key`` already.
            patience: Seconds to wait for another thread's result; None waits as long as it takes.

        Raises:
            TimeoutError: Another thread's computation takes longer than ``patience``.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                own = self._flights[key] = Future()
        if flight is not None:
            return self._wait(flight, patience)
        try:
            value = compute()
        except BaseException as error:
            self._land(key)
            own.set_exception(error)
            raise
        self._land(key)
        own.set_result(value)
        return value

    def _land(self, key: Key) -> None:
        with self._lock:
            del self._flights[key]

    @staticmethod
    def _wait(flight: Future[Value], patience: float | None) -> Value:
        try:
            return flight.result(timeout=patience)
        except FutureTimeoutError:
            if flight.done():
                raise  # the computation's own error, not our impatience
            raise TimeoutError("another request computes the same and has not finished") from None
