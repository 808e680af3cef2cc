"""Delivers events to functions over HTTP: concurrently, in no order, again with back-off until it works.

Every gateway (documents, messages, schedules, tasks) hands its deliveries in here, so that they can be watched,
held back and duplicated in one place.
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

import urllib3

SUCCESS = range(200, 300)
THREADS = 64
REMEMBERED = 2000
Order = Literal["kept", "reversed", "shuffled"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """When a failed delivery is tried again.

    Attributes:
        minimum: Seconds before the first retry.
        maximum: Seconds between two tries at most.
        attempts: Tries in all; None tries until ``lifetime`` is over.
        lifetime: Seconds after which no further try is made.
        doublings: How often the wait doubles before it grows by equal steps (Cloud Tasks); None doubles always.
    """

    minimum: float
    maximum: float
    attempts: int | None = None
    lifetime: float = 86_400.0
    doublings: int | None = None

    def wait(self, failures: int) -> float:
        """Return the seconds to wait after the given number of failures (1 or more)."""
        doublings = failures - 1 if self.doublings is None else min(failures - 1, self.doublings)
        steps = max(1, failures - doublings)
        return min(self.maximum, self.minimum * 2.0 ** min(doublings, 40) * steps)

    def scaled(self, factor: float, floor: float = 0.02) -> Policy:
        """Return the same policy with shorter waits."""
        return replace(self, minimum=max(floor, self.minimum * factor), maximum=max(floor, self.maximum * factor))


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One HTTP call."""

    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    method: str = "POST"


@dataclass(kw_only=True, slots=True)
class Delivery:
    """One event on its way to one function.

    Attributes:
        function: Name of the function; deliveries to one function share its limits.
        kind: ``document``, ``message``, ``schedule`` or ``task``.
        identity: Id of the event.
        compose: Makes the call of a try from this delivery.
        policy: When to try again.
        timeout: Seconds one try may take.
        settle: Called once at the end with whether it was delivered.
        failures: Tries that failed so far.
        answered: Tries that got an answer of whatever status.
        previous: Status of the try before; None if it got no answer.
        born: Monotonic time of the submission.
    """

    function: str
    kind: str
    identity: str
    compose: Callable[[Delivery], Call]
    policy: Policy
    timeout: float
    settle: Callable[[bool], None] = lambda _delivered: None
    failures: int = 0
    answered: int = 0
    previous: int | None = None
    born: float = field(default_factory=time.monotonic)
    copy: bool = False

    @property
    def attempt(self) -> int:
        """Number of the try that is next or under way, from 1."""
        return self.failures + 1


@dataclass(kw_only=True, slots=True)
class Lane:
    """The deliveries of one function.

    Attributes:
        concurrency: Tries under way at most.
        rate: Tries a second at most; None is unlimited.
        times: How many times each delivery is made.
    """

    concurrency: int
    rate: float | None = None
    burst: float = 1.0
    paused: bool = False
    times: int = 1
    active: int = 0
    delivered: int = 0
    failed: int = 0
    given_up: int = 0
    queue: list[tuple[float, int, Delivery]] = field(default_factory=list)
    tokens: float = 1.0
    filled: float = field(default_factory=time.monotonic)

    def wait(self, now: float) -> float | None:
        """Return the seconds until a delivery may go; None if only an event can change that."""
        if self.paused or not self.queue or self.active >= self.concurrency:
            return None
        due = self.queue[0][0] - now
        if self.rate is None:
            return due
        self.tokens = min(self.burst, self.tokens + (now - self.filled) * self.rate)
        self.filled = now
        return max(due, (1.0 - self.tokens) / self.rate if self.tokens < 1.0 else 0.0)


class Dispatcher:
    """Takes deliveries and makes them; thread-safe.

    Attributes:
        recent: What became of the latest tries, oldest first.
    """

    def __init__(self, threads: int = THREADS) -> None:
        self.recent: deque[dict[str, object]] = deque(maxlen=REMEMBERED)
        self._lanes: dict[str, Lane] = {}
        self._numbers = itertools.count()
        self._change = threading.Condition()
        self._closed = False
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="delivery")
        self._http = urllib3.PoolManager(maxsize=threads, num_pools=4, retries=False)
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
        self._thread.start()

    def lane(self, function: str, *, concurrency: int = 32, rate: float | None = None, burst: float = 1.0) -> None:
        """Set the limits of a function's deliveries."""
        with self._change:
            lane = self._lanes.setdefault(function, Lane(concurrency=concurrency))
            lane.concurrency, lane.rate, lane.burst = concurrency, rate, max(1.0, burst)
            lane.tokens = lane.burst
            self._change.notify()

    def submit(self, delivery: Delivery, delay: float = 0.0) -> None:
        """Have a delivery made after ``delay`` seconds."""
        with self._change:
            lane = self._lanes.setdefault(delivery.function, Lane(concurrency=32))
            due = time.monotonic() + delay
            heapq.heappush(lane.queue, (due, next(self._numbers), delivery))
            for _ in range(lane.times - 1):
                twin = replace(delivery, settle=lambda _delivered: None, copy=True)
                heapq.heappush(lane.queue, (due, next(self._numbers), twin))
            self._change.notify()

    def withdraw(self, function: str, wanted: Callable[[Delivery], bool]) -> list[Delivery]:
        """Take waiting deliveries back; those under way are not touched."""
        with self._change:
            lane = self._lanes.setdefault(function, Lane(concurrency=32))
            taken = [delivery for _, _, delivery in lane.queue if wanted(delivery)]
            lane.queue = [entry for entry in lane.queue if not wanted(entry[2])]
            heapq.heapify(lane.queue)
            return taken

    def pause(self, function: str) -> None:
        """Hold a function's deliveries back."""
        with self._change:
            self._lanes.setdefault(function, Lane(concurrency=32)).paused = True

    def resume(self, function: str, order: Order = "kept") -> None:
        """Let a function's deliveries go, those held back in the given order."""
        with self._change:
            lane = self._lanes.setdefault(function, Lane(concurrency=32))
            lane.paused = False
            if order != "kept":
                held = [delivery for _, _, delivery in sorted(lane.queue, key=lambda entry: entry[:2])]
                if order == "reversed":
                    held.reverse()
                else:
                    random.shuffle(held)
                now = time.monotonic()
                lane.queue = [(now, next(self._numbers), delivery) for delivery in held]
                heapq.heapify(lane.queue)
            self._change.notify()

    def duplicate(self, function: str, times: int) -> None:
        """Make each delivery submitted from now on ``times`` times; 1 is normal."""
        with self._change:
            self._lanes.setdefault(function, Lane(concurrency=32)).times = max(1, times)

    def status(self) -> dict[str, dict[str, object]]:
        """Return counts by function: waiting, active, delivered, failed tries, given up."""
        with self._change:
            return {
                name: {
                    "waiting": len(lane.queue),
                    "active": lane.active,
                    "delivered": lane.delivered,
                    "failed_attempts": lane.failed,
                    "given_up": lane.given_up,
                    "paused": lane.paused,
                    "times": lane.times,
                }
                for name, lane in sorted(self._lanes.items())
            }

    def pending(self, kinds: frozenset[str] = frozenset({"document", "message"})) -> int:
        """Return how many deliveries of these kinds wait or are under way (the latter of every kind)."""
        with self._change:
            waiting = sum(entry[2].kind in kinds for lane in self._lanes.values() for entry in lane.queue)
            return waiting + sum(lane.active for lane in self._lanes.values())

    def close(self) -> None:
        """Stop delivering; what waits is dropped without being settled."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._http.clear()

    def _run(self) -> None:
        while True:
            with self._change:
                if self._closed:
                    return
                now = time.monotonic()
                waits = {name: wait for name, lane in self._lanes.items() if (wait := lane.wait(now)) is not None}
                due = [name for name, wait in waits.items() if wait <= 0]
                for name in due:
                    lane = self._lanes[name]
                    _, _, delivery = heapq.heappop(lane.queue)
                    lane.active += 1
                    lane.tokens -= 1.0
                    self._pool.submit(self._make, lane, delivery)
                if not due:
                    self._change.wait(min(waits.values(), default=None))

    def _make(self, lane: Lane, delivery: Delivery) -> None:
        began = time.monotonic()
        status, detail = self._call(delivery)
        success = status in SUCCESS
        if status is not None:
            delivery.answered += 1
        again: float | None = None
        if not success:
            delivery.failures += 1
            delivery.previous = status
            again = self._again(delivery)
        outcome = "delivered" if success else "given up" if again is None else "to be retried"
        self._remember(delivery, status, detail, outcome, time.monotonic() - began)
        with self._change:
            lane.active -= 1
            lane.delivered += success
            lane.failed += not success
            lane.given_up += not success and again is None
            if again is not None and not self._closed:
                heapq.heappush(lane.queue, (time.monotonic() + again, next(self._numbers), delivery))
            self._change.notify()
        if again is None:
            delivery.settle(success)

    def _call(self, delivery: Delivery) -> tuple[int | None, str]:
        call = delivery.compose(delivery)
        try:
            answer = self._http.request(
                call.method,
                call.url,
                body=call.body,
                headers=dict(call.headers),
                timeout=delivery.timeout,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return None, str(error)
        detail = "" if answer.status in SUCCESS else answer.data[:500].decode("utf-8", "replace")
        return answer.status, detail

    @staticmethod
    def _again(delivery: Delivery) -> float | None:
        policy = delivery.policy
        if policy.attempts is not None and delivery.failures >= policy.attempts:
            return None
        wait = policy.wait(delivery.failures)
        return None if time.monotonic() + wait > delivery.born + policy.lifetime else wait

    def _remember(self, delivery: Delivery, status: int | None, detail: str, outcome: str, seconds: float) -> None:
        self.recent.append(
            {
                "time": datetime.now(UTC).isoformat(),
                "function": delivery.function,
                "kind": delivery.kind,
                "id": delivery.identity,
                "attempt": delivery.failures + (outcome == "delivered"),
                "status": status,
                "outcome": outcome,
                "duplicate": delivery.copy,
                "milliseconds": round(seconds * 1000, 1),
                "detail": detail,
            }
        )
