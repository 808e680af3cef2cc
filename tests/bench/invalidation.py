"""Invalidating a tenant's namespace with a thousand and with a million keys in Redis, against deleting by pattern."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import redis

from common.cache import invalidate
from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.settings import Settings
from tests.bench.report import Measurement
from tests.bench.stack import emulators

SMALL, LARGE = 1_000, 1_000_000
ROUNDS = 200


def _fill(client: redis.Redis, tenant: str, keys: int) -> None:
    for start in range(0, keys, 20_000):
        with client.pipeline(transaction=False) as pipe:
            for number in range(start, min(start + 20_000, keys)):
                pipe.set(f"aso_content:{tenant}:{number:064x}", b"x" * 64)
            pipe.execute()


def _median_microseconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1e6)
    return statistics.median(times)


def _delete_by_pattern(client: redis.Redis, tenant: str) -> None:
    names = list(client.scan_iter(match=f"aso_content:{tenant}:*", count=1000))
    for start in range(0, len(names), 1000):
        client.unlink(*names[start : start + 1000])


def run() -> list[Measurement]:
    """Measure both sizes, and the pattern deletion of document 000 as the peer."""
    with emulators() as running:
        clients = Clients(Settings(environment="local", project="demo-bench", redis_url=running.redis))
        client = clients.get(redis_client)
        if client is None:
            raise RuntimeError("there is no Redis to measure")
        found = {}
        for keys in (SMALL, LARGE):
            client.flushdb()
            _fill(client, "measured", keys)
            found[keys] = _median_microseconds(lambda: invalidate(clients, "measured", ["aso_content"]))
        by_pattern = _median_microseconds(lambda: _delete_by_pattern(client, "measured"), rounds=1)
    ratio = found[LARGE] / found[SMALL]
    return [
        Measurement(
            name=f"invalidation, {LARGE:,} keys against {SMALL:,}",
            ours=f"{found[LARGE]:.0f} µs",
            peer=f"{found[SMALL]:.0f} µs",
            ratio=ratio,
            aim="at most 1.5",
            met=ratio <= 1.5,
        ),
        Measurement(
            name=f"pattern deletion (SCAN, UNLINK) of {LARGE:,} keys against ours",
            ours=f"{found[LARGE]:.0f} µs",
            peer=f"{by_pattern / 1e6:.2f} s",
            ratio=by_pattern / found[LARGE],
        ),
    ]
