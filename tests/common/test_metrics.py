"""Counts and latencies of a process."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from common.metrics import BOUNDS, Metrics


def test_a_snapshot_tells_requests_cache_and_latencies() -> None:
    metrics = Metrics()
    for status, milliseconds, cache in [(200, 3.0, "HIT"), (201, 4.0, "MISS"), (404, 7.0, None), (503, 61_000.0, None)]:
        metrics.observe("f", status, milliseconds, cache)
    metrics.observe("g", 204, 1.0)
    assert metrics.snapshot() == {
        "f": {
            "requests": {"2xx": 2, "4xx": 1, "5xx": 1},
            "cache": {"HIT": 1, "MISS": 1},
            "mean_ms": 15_253.5,
            "p50_ms": 5,
            "p95_ms": None,
            "p99_ms": None,
        },
        "g": {"requests": {"2xx": 1}, "cache": {}, "mean_ms": 1.0, "p50_ms": 1, "p95_ms": 1, "p99_ms": 1},
    }


@given(st.lists(st.floats(0, 60_000), min_size=1, max_size=200))
def test_a_percentile_is_the_bound_above_it(latencies: list[float]) -> None:
    metrics = Metrics()
    for latency in latencies:
        metrics.observe("f", 200, latency)
    ordered = sorted(latencies)
    for share, name in ((0.5, "p50_ms"), (0.95, "p95_ms"), (0.99, "p99_ms")):
        exact = next(value for rank, value in enumerate(ordered, start=1) if rank >= share * len(ordered))
        assert metrics.snapshot()["f"][name] == next(bound for bound in BOUNDS if exact <= bound)


def test_nothing_is_lost_between_threads() -> None:
    metrics = Metrics()

    def observe() -> None:
        for _ in range(500):
            metrics.observe("f", 200, 1.0, "HIT")

    threads = [threading.Thread(target=observe) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.snapshot()["f"]["requests"] == {"2xx": 2000}
