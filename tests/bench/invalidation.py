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
ROUNDS = 1000


def _client(clients: Clients) -> redis.Redis:
    client = clients.get(redis_client)
    if client is None:
        raise RuntimeError("there is no Redis to measure")
    return client


def _filled(url: str, keys: int) -> Clients:
    """Return clients of a database that holds so many cached answers."""
    clients = Clients(Settings(environment="local", project="demo-bench", redis_url=url))
    _fill(_client(clients), "measured", keys)
    return clients


def _fill(client: redis.Redis, tenant: str, keys: int) -> None:
    for start in range(0, keys, 20_000):
        with client.pipeline(transaction=False) as pipe:
            for number in range(start, min(start + 20_000, keys)):
                pipe.set(f"aso_content:{tenant}:{number:064x}", b"x" * 64)
            pipe.execute()


def _microseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e6


def _delete_by_pattern(client: redis.Redis, tenant: str) -> None:
    names = list(client.scan_iter(match=f"aso_content:{tenant}:*", count=1000))
    for start in range(0, len(names), 1000):
        client.unlink(*names[start : start + 1000])


def run() -> list[Measurement]:
    """Measure both sizes in turns, so that drift meets both, and the pattern deletion of document 000 as the peer."""
    with emulators() as running:
        address = running.redis.rpartition("/")[0]
        sizes = {SMALL: _filled(f"{address}/1", SMALL), LARGE: _filled(f"{address}/2", LARGE)}
        times: dict[int, list[float]] = {keys: [] for keys in sizes}
        for _ in range(ROUNDS):
            for keys, clients in sizes.items():
                times[keys].append(_microseconds(lambda: invalidate(clients, "measured", ["aso_content"])))  # noqa: B023
        found = {keys: statistics.median(each) for keys, each in times.items()}
        by_pattern = _microseconds(lambda: _delete_by_pattern(_client(sizes[LARGE]), "measured"))
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
