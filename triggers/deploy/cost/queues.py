"""The two formulas that turn rates into costs: how long instances are busy, and how often a cache answers."""

from __future__ import annotations

import functools
import itertools
import math

MANY = 1_000_000.0
"""Requests in flight on average, from which on the remainder of a division is as good as uniform."""
KEYS = 2_000
"""Different reads that are summed one by one; more are summed in that many groups."""


@functools.lru_cache(maxsize=65_536)
def instances(in_flight: float, concurrency: int) -> float:
    """Return the instances that are busy on average, each serving ``concurrency`` requests at once.

    Requests that arrive at random and take a time each are in flight in a Poisson-distributed number (M/G/infinity);
    an instance is billed while it serves at least one, so the mean of ``ceil(N / concurrency)`` is due.

    Args:
        in_flight: Mean number of requests in flight: arrivals a second times seconds each.
        concurrency: Requests that an instance serves at once.
    """
    if in_flight <= 0:
        return 0.0
    if in_flight > MANY:
        return in_flight / concurrency + (concurrency - 1) / (2 * concurrency)
    spread = 9 * math.sqrt(in_flight) + 30
    low, high = max(0, int(in_flight - spread)), int(in_flight + spread)
    logarithm = math.log(in_flight)
    return math.fsum(
        -(-count // concurrency) * math.exp(count * logarithm - in_flight - math.lgamma(count + 1))
        for count in range(low, high + 1)
    )


def lifetime(ttl: float, invalidations: float, room: float) -> float:
    """Return how long an entry can be served, in seconds, on average.

    Args:
        ttl: Its time to live.
        invalidations: How often a second something drops it (at random).
        room: Che's characteristic time: after so long without a hit a full cache has pushed it out.
    """
    bound = min(ttl, room)
    if invalidations * bound < 1e-9:
        return bound
    return -math.expm1(-invalidations * bound) / invalidations


@functools.lru_cache(maxsize=65_536)
def misses(rate: float, keys: float, exponent: float, served: float) -> float:
    """Return the reads a second that the cache does not answer.

    A key that is read ``r`` times a second and lives ``L`` seconds is filled once, then hit ``r L`` times: of its reads
    the share ``1 / (1 + r L)`` misses. Popularity of keys follows Zipf's law.

    Args:
        rate: Reads a second, of all keys together.
        keys: Different keys.
        exponent: Zipf's; 0 means that all are read alike.
        served: ``lifetime`` of an entry.
    """
    if rate <= 0:
        return 0.0
    weights = _weights(max(1.0, keys), exponent)
    total = math.fsum(count * weight for count, weight in weights)
    return math.fsum(
        count * (share := rate * weight / total) / (1 + share * served) for count, weight in weights if count > 0
    )


@functools.lru_cache(maxsize=1024)
def _weights(keys: float, exponent: float) -> tuple[tuple[float, float], ...]:
    """Return how many keys have which weight; the last key counts as much as it is there."""
    if keys <= KEYS:
        whole = int(keys)
        return (
            *((1.0, rank**-exponent) for rank in range(1, whole + 1)),
            (keys - whole, (whole + 1) ** -exponent),
        )
    head = KEYS // 2
    ratio = (keys / head) ** (1 / head)
    edges = [head * ratio**step for step in range(head + 1)]
    tail = ((high - low, ((low + high) / 2) ** -exponent) for low, high in itertools.pairwise(edges))
    return (*((1.0, rank**-exponent) for rank in range(1, head + 1)), *tail)


def room_for(rate: float, keys: float, exponent: float, capacity: float) -> float:
    """Return Che's characteristic time of a cache, in seconds; infinite where everything has room.

    It solves ``sum(1 - exp(-r T)) = capacity`` over the keys' rates ``r`` (Che, Tung and Wang, 2002).

    Args:
        rate: Reads a second, of all keys together.
        keys: Different keys.
        exponent: Zipf's.
        capacity: Entries that have room.
    """
    if keys <= capacity or rate <= 0:
        return math.inf
    if capacity <= 0:
        return 0.0
    weights = _weights(max(1.0, keys), exponent)
    total = math.fsum(count * weight for count, weight in weights)

    def kept(seconds: float) -> float:
        return math.fsum(count * -math.expm1(-rate * weight / total * seconds) for count, weight in weights)

    low, high = 0.0, 1.0
    while kept(high) < capacity:
        low, high = high, high * 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if kept(middle) < capacity else (low, middle)
    return low
