"""Counts and latencies of the functions of this process, and the one log line a request leaves.

In the cloud the line is the metric (Terraform makes log-based metrics of its fields); the local cloud shows
:meth:`Metrics.snapshot`.
"""

from __future__ import annotations

import bisect
import functools
import threading
from dataclasses import dataclass, field
from typing import Any

BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000)
"""Upper bounds of the latency histogram in milliseconds; one more bucket takes the rest."""


@dataclass(slots=True)
class FunctionFigures:
    """Figures of one function since the process began.

    Attributes:
        requests: Requests or deliveries by status class (``2xx``) .
        cache: Answers by cache state.
        latencies: Counts per bucket of :data:`BOUNDS`.
        milliseconds: Sum of all latencies.
    """

    requests: dict[str, int] = field(default_factory=dict)
    cache: dict[str, int] = field(default_factory=dict)
    latencies: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    milliseconds: float = 0.0


class Metrics:
    """Figures of all functions that a process serves; thread-safe."""

    def __init__(self) -> None:
        self._functions: dict[str, FunctionFigures] = {}
        self._lock = threading.Lock()

    def observe(self, function: str, status: int, milliseconds: float, cache: str | None = None) -> None:
        """Count one request or delivery."""
        kind = f"{status // 100}xx"
        bucket = bisect.bisect_left(BOUNDS, milliseconds)
        with self._lock:
            figures = self._functions.get(function)
            if figures is None:
                figures = self._functions[function] = FunctionFigures()
            figures.requests[kind] = figures.requests.get(kind, 0) + 1
            figures.latencies[bucket] += 1
            figures.milliseconds += milliseconds
            if cache is not None:
                figures.cache[cache] = figures.cache.get(cache, 0) + 1

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Return the figures by function, JSON values: requests, cache, mean and the 50th, 95th and 99th percentile."""
        with self._lock:
            return {name: _summary(figures) for name, figures in sorted(self._functions.items())}


def _summary(figures: FunctionFigures) -> dict[str, Any]:
    total = sum(figures.latencies)
    return {
        "requests": dict(figures.requests),
        "cache": dict(figures.cache),
        "mean_ms": round(figures.milliseconds / total, 3) if total else None,
        **{f"p{rank}_ms": percentile(figures.latencies, rank / 100) for rank in (50, 95, 99)},
    }


def percentile(latencies: list[int], share: float) -> int | None:
    """Return the upper bound in milliseconds of the bucket in which a share of the requests lies.

    None if there are no requests, or if it lies beyond the last bound.
    """
    total, seen = sum(latencies), 0
    for bound, count in zip(BOUNDS, latencies, strict=False):
        seen += count
        if total and seen >= share * total:
            return bound
    return None


@functools.cache
def process_metrics() -> Metrics:
    """Return the figures of this process."""
    return Metrics()
