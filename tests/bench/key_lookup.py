"""Finding an API key among few and among many: by its hash, which is the name of its record.

Keys are looked up as authentication does it, once with nothing in memory and once remembered. The peer does what
libraries do that store keys like passwords: it looks a key's record up by its first characters, in the same store, and
compares a slow hash (scrypt with the parameters of RFC 7914's interactive logins).
"""

from __future__ import annotations

import hashlib
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.cloud.firestore_v1.base_query import FieldFilter

from common.api_keys import Credentials, credentials_cache, find_key, generate_key, key_digest, key_path
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from tests.bench.report import Measurement
from tests.bench.stack import emulators

FEW, MANY = 100, 100_000
LOOKED_UP, SLOW, BATCH = 300, 10, 500
PEER = "slow_keys"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seconds:
    """Medians for one number of keys: seconds a look-up.

    Attributes:
        cold: From Firestore.
        warm: From the process's memory.
        peer: By first characters, with a slow hash.
    """

    cold: float
    warm: float
    peer: float


def _record(number: int, key: str) -> dict[str, Any]:
    return {
        "key_id": f"key-{number}",
        "tenant_id": f"tenant_{number % 1000}",
        "scopes": ["aso:write"],
        "role": "user",
        "prefix": key[:8],
        "created_at": datetime.now(UTC),
        "expires_at": None,
        "revoked_at": None,
    }


def _store(clients: Clients, keys: Sequence[str]) -> None:
    """Store the records of keys, several batches at a time."""
    client = clients.get(firestore_client)

    def write(start: int) -> None:
        batch = client.batch()
        for number, key in enumerate(keys[start : start + BATCH], start):
            batch.set(client.document(key_path(key_digest(key))), _record(number, key))
        batch.commit(timeout=60)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(0, len(keys), BATCH)))


def _slow_hash(key: str) -> str:
    return hashlib.scrypt(key.encode(), salt=b"of the key", n=16384, r=8, p=1, maxmem=1 << 26).hex()


def _store_slow(clients: Clients, keys: Sequence[str]) -> None:
    client = clients.get(firestore_client)
    for key in keys:
        client.collection(PEER).document().set({"prefix": key[:8], "hash": _slow_hash(key)})


def _find_slow(clients: Clients, key: str) -> bool:
    """Find a key as the peer does."""
    prefixed = FieldFilter("prefix", "==", key[:8])
    found = clients.get(firestore_client).collection(PEER).where(filter=prefixed).stream()
    return any(snapshot.get("hash") == _slow_hash(key) for snapshot in found)


def _median(work: Callable[[str], object], keys: Sequence[str]) -> float:
    times = []
    for key in keys:
        started = time.perf_counter()
        if not work(key):
            raise RuntimeError("a stored key was not found")
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _measured(clients: Clients, keys: Sequence[str]) -> Seconds:
    chosen = random.Random(7).sample(keys, min(LOOKED_UP, len(keys)))
    asked = [chosen[number % len(chosen)] for number in range(LOOKED_UP)]

    def cold(key: str) -> object:
        clients.replace(credentials_cache, Credentials(clients.settings))
        return find_key(clients, key_digest(key))

    def warm(key: str) -> object:
        return find_key(clients, key_digest(key))

    _median(warm, asked[:20])
    found = _median(cold, asked)
    _median(warm, asked)  # everything is remembered afterwards
    return Seconds(
        cold=found, warm=_median(warm, asked), peer=_median(lambda key: _find_slow(clients, key), asked[:SLOW])
    )


def run() -> list[Measurement]:
    """Measure with few keys and with many, in one store that grows."""
    with emulators() as running:
        clients = Clients(running.settings("bench-keys"))
        keys = [generate_key() for _ in range(MANY)]
        found = {}
        for size in (FEW, MANY):
            _store(clients, keys[:size])
            _store_slow(clients, random.Random(7).sample(keys[:size], min(LOOKED_UP, size))[:SLOW])
            found[size] = _measured(clients, keys[:size])
    return list(_report(found))


def _report(found: Mapping[int, Seconds]) -> Iterator[Measurement]:
    few, many = found[FEW], found[MANY]
    for name, ours, peer in (
        ("from Firestore", many.cold, few.cold),
        ("remembered", many.warm, few.warm),
    ):
        ratio = ours / peer
        yield Measurement(
            name=f"a key among {MANY:,}, {name}",
            ours=f"{ours * 1e6:.0f} µs",
            peer=f"among {FEW}: {peer * 1e6:.0f} µs",
            ratio=ratio,
            aim="near 1 (at most 1.25)",
            met=ratio <= 1.25,
        )
    yield Measurement(
        name=f"a key among {MANY:,}, from Firestore",
        ours=f"{many.cold * 1e6:.0f} µs",
        peer=f"by its first characters, with scrypt: {many.peer * 1e6:.0f} µs",
        ratio=many.cold / many.peer,
    )
