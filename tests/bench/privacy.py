"""Access export and erasure of a person with ten thousand records, against plain batches of reads and deletions.

The peers know the ids beforehand, render nothing, check nothing and leave nothing behind: they are what the database
itself takes for as many documents. A walk asks for pages of 300 by a field's value, which the emulator answers by
reading the whole collection, unlike Firestore: the seconds grow with all that is stored. Memory is what Python took
at most, measured in runs of their own, because measuring slows them down.
"""

from __future__ import annotations

import dataclasses
import time
import tracemalloc
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from google.cloud.firestore import SERVER_TIMESTAMP

from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.context import Context, Deadline
from common.platform.privacy import residue
from common.platform.privacy.bundle import Bundle
from common.platform.privacy.stores.documents import expand
from common.platform.privacy.stores.every import STORES
from common.store import in_chunks
from tests.bench.report import Measurement
from tests.bench.stack import emulators
from tests.common.platform.privacy.people import Human, context_for, walk_for

RECORDS = 10_000
LARGE, SMALL = 6_000, 1_200  # both more than a page of each kind
BATCH = 500
READ_BATCH = 300
MEGABYTE = 1_000_000
GROWTH = 1.5
"""Five times the records may take so many times the memory."""


def run() -> list[Measurement]:
    """Return the ratios of export and erasure to plain batches, and their memory."""
    with emulators() as running:
        clients = Clients(running.settings("privacy"))
        for bucket in (clients.settings.content_bucket, clients.settings.report_bucket):
            clients.get(storage_client).create_bucket(bucket)
        return [*_speed(_context(clients)), *_memory(clients)]


def _context(clients: Clients) -> Context:
    """Return the context of a tenant of its own, with the time that a job's attempt has."""
    return dataclasses.replace(context_for(clients), deadline=Deadline.after(1800))


def _planted(context: Context, human: Human, number: int) -> list[Any]:
    """Store records about somebody: half of what they did, half of what is theirs alone; return the references."""
    client = context.clients.get(firestore_client)
    references = []
    for some in in_chunks(range(number), BATCH):
        batch = client.batch()
        for each in some:
            name = uuid.uuid4().hex
            fields: dict[str, Any] = {
                "tenant_id": context.tenant_id,
                "schema_version": 1,
                "text": f"record {each} " * 20,
            }
            if each % 2:
                reference = client.document(f"rank_alerts/{name}")
                fields |= {"alert_id": name, "acknowledged_by": human.user_id, "note": f"Looked at it. {each}"}
            else:
                reference = client.document(f"accounts/{name}")
                fields |= {"account_id": name, "user_id": human.user_id, "email": human.email, "provider": "google"}
            batch.set(reference, fields)
            references.append(reference)
        batch.commit()
    return references


def _exported(context: Context, human: Human) -> Bundle:
    walk = walk_for(context, human)
    expand(walk)
    bundle = Bundle([(store.name, partial(store.export, walk)) for store in STORES], {})
    for _ in bundle.chunks():
        pass
    return bundle


def _erased(context: Context, human: Human) -> int:
    walk = walk_for(context, human)
    expand(walk)
    return sum(sum(store.erase(walk).values()) for store in STORES)


def _read(context: Context, references: list[Any]) -> int:
    client = context.clients.get(firestore_client)
    return sum(len(list(client.get_all(list(some)))) for some in in_chunks(references, READ_BATCH))


def _deleted(context: Context, references: list[Any]) -> None:
    client = context.clients.get(firestore_client)
    for some in in_chunks(references, BATCH):
        batch = client.batch()
        for reference in some:
            batch.delete(reference)
        batch.commit()


def _noted(context: Context, references: list[Any]) -> None:
    """Delete with two notes for each document, as an erasure leaves them; without reading, in batches."""
    client = context.clients.get(firestore_client)
    for some in in_chunks(references, BATCH // 3):
        batch = client.batch()
        for reference in some:
            batch.delete(reference)
            for collection in ("markers", "tombstones"):
                note = {"tenant_id": context.tenant_id, "document": reference.path, "at": SERVER_TIMESTAMP}
                batch.set(client.document(f"{collection}/{reference.id}"), note)
        batch.commit()


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def _speed(context: Context) -> list[Measurement]:
    human, other = Human(), Human()
    references, plain, noted = (_planted(context, each, RECORDS) for each in (human, other, Human()))
    _read(context, references[:READ_BATCH])
    reading, _ = _timed(lambda: _read(context, references))
    exporting, bundle = _timed(lambda: _exported(context, human))
    deleting, _ = _timed(lambda: _deleted(context, plain))
    noting, _ = _timed(lambda: _noted(context, noted))
    erasing, number = _timed(lambda: _erased(context, human))
    searching, left = _timed(lambda: residue.search(walk_for(context, human)))
    if bundle.records != RECORDS or number != RECORDS or left:
        raise RuntimeError(f"{bundle.records} exported, {number} erased, {len(left)} left of {RECORDS}")
    return [
        Measurement(
            name=f"access export of {RECORDS:,} records, written and packed",
            ours=f"{exporting:.2f} s",
            peer=f"{reading:.2f} s: get_all in batches of {READ_BATCH}, thrown away",
            ratio=exporting / reading,
        ),
        Measurement(
            name=f"erasure of {RECORDS:,} records in every store, with markers and tombstones",
            ours=f"{erasing:.2f} s",
            peer=f"{deleting:.2f} s: deletions in batches of {BATCH}",
            ratio=erasing / deleting,
        ),
        Measurement(
            name="the same",
            ours=f"{erasing:.2f} s",
            peer=f"{noting:.2f} s: deletions with two notes each, nothing read",
            ratio=erasing / noting,
        ),
        Measurement(
            name="search for what is left",
            ours=f"{searching:.2f} s",
            peer=f"{reading:.2f} s: get_all of {RECORDS:,} documents",
            ratio=searching / reading,
        ),
    ]


def _memory(clients: Clients) -> list[Measurement]:
    """Measure what five times the records take more: everything is streamed, so next to nothing."""
    found = []
    for name, work in (("access export", _exported), ("erasure", _erased)):
        small, large = (_peak(_context(clients), work, number) for number in (SMALL, LARGE))
        found.append(
            Measurement(
                name=f"memory of the {name}, {LARGE:,} records",
                ours=f"{large:.1f} MB",
                peer=f"{small:.1f} MB: {SMALL:,} records",
                ratio=large / small,
                aim=f"at most {GROWTH} times for five times the records",
                met=large / small <= GROWTH,
            )
        )
    return found


def _peak(context: Context, work: Callable[[Context, Human], Any], number: int) -> float:
    human = Human()
    _planted(context, human, number)
    tracemalloc.start()
    try:
        work(context, human)
        return tracemalloc.get_traced_memory()[1] / MEGABYTE
    finally:
        tracemalloc.stop()
