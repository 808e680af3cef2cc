"""What the audit trail costs: a write with and without its consumers, and how fast these take events.

The trail is asynchronous: a request commits its documents and answers; relay and consumer come afterwards, in
production on instances of their own. So the request is measured with nothing else under way: the next one is sent when
everything that the last one set off is done. With and without take turns in one run, on one local cloud. The second
line sends requests without waiting: on one machine, where all functions share two processors and one process, the
consumers then take their share of the time; no production instance does that.

The peer of the consumer is the bare client's creation of the same document, with as many threads.
"""

from __future__ import annotations

import statistics
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context, Deadline, Principal
from common.documents import encode
from common.events import Change, Envelope, EventMetadata, event_id_of
from common.model import rfc3339
from common.platform.audit import record
from common.registry import entities
from tests.bench.report import Measurement
from tests.bench.stack import Tenant, create_tenant, emulators, local_cloud
from tests.stack import wait_for

CONSUMERS = ("platform-audit-aso", "platform-audit-tenants", "platform-audit-platform")
ROUNDS, CALLS = 12, 8
BURST = 40
EVENTS, THREADS = 400, 8


def run() -> list[Measurement]:
    """Measure."""
    with local_cloud() as cloud:
        tenant = create_tenant(cloud, f"b{uuid.uuid4().hex[:8]}")
        lines = [_spaced(tenant), _burst(tenant)]
    with emulators() as running:
        clients = Clients(running.settings("audit"))
        return [*lines, _throughput(clients)]


def _spaced(tenant: Tenant) -> Measurement:
    with_trail: list[float] = []
    without: list[float] = []
    _timed(tenant, 2 * CALLS)
    for _ in range(ROUNDS):
        with_trail += _timed(tenant, CALLS)
        with _paused(tenant):
            without += _timed(tenant, CALLS)
    ours, peer = statistics.median(with_trail), statistics.median(without)
    return Measurement(
        name=f"create a content piece, median of {len(with_trail)}, nothing else under way",
        ours=f"{ours:.2f} ms",
        peer=f"consumers paused {peer:.2f} ms",
        ratio=ours / peer,
        aim="<= 1.05",
        met=ours / peer <= 1.05,
    )


def _burst(tenant: Tenant) -> Measurement:
    ours: list[float] = []
    peer: list[float] = []
    for _ in range(3):
        ours += [_once(tenant) for _ in range(BURST)]
        _quiet(tenant)
        with _paused(tenant):
            peer += [_once(tenant) for _ in range(BURST)]
    return Measurement(
        name=f"the same, {BURST} in a row, all functions in one process",
        ours=f"{statistics.median(ours):.2f} ms",
        peer=f"consumers paused {statistics.median(peer):.2f} ms",
        ratio=statistics.median(ours) / statistics.median(peer),
    )


@contextmanager
def _paused(tenant: Tenant) -> Iterator[None]:
    """Hold the trail's consumers back; what waits for them meanwhile is delivered before the block is left."""
    for name in CONSUMERS:
        tenant.cloud.dispatcher.pause(name)
    try:
        yield
    finally:
        for name in CONSUMERS:
            tenant.cloud.dispatcher.resume(name)
        _quiet(tenant)


def _timed(tenant: Tenant, calls: int) -> list[float]:
    times = []
    for _ in range(calls):
        times.append(_once(tenant))
        _still(tenant)
    return times


def _once(tenant: Tenant) -> float:
    body = {"content_type": "hub", "keyword_primary": "bench", "title": uuid.uuid4().hex}
    began = time.perf_counter()
    tenant.call("POST", "/v1/aso/content", json=body)
    return (time.perf_counter() - began) * 1000


def _still(tenant: Tenant) -> None:
    """Wait until nothing is under way but what is held back: long enough for whatever an event sets off."""
    del tenant
    threading.Event().wait(0.4)


def _quiet(tenant: Tenant) -> None:
    """Wait until every delivery is made."""

    def empty() -> bool:
        for _ in range(3):
            if tenant.cloud.dispatcher.pending():
                return False
            threading.Event().wait(0.1)
        return True

    wait_for(empty, deadline=120)


def _throughput(clients: Clients) -> Measurement:
    context = Context(
        function="platform-audit-aso",
        tenant_id="bench",
        principal=Principal(kind="service", id="bench"),
        clients=clients,
        deadline=Deadline.after(600),
    )
    events = [_event(number) for number in range(EVENTS)]
    entity = entities()["content_piece"]
    entries = [record.entry_of(entity, each, "bench", each.timestamp, lambda _kind, _value: "") for each in events]
    collection = clients.get(firestore_client).collection("bench_entries")
    documents = [encode(each) for each in entries]
    _rate(lambda number: collection.document(f"before {number}").create(documents[number]))  # warms the emulator
    peer = _rate(lambda number: collection.document(str(number)).create(documents[number]))
    ours = _rate(lambda number: record.handle(context, events[number]))
    again = _rate(lambda number: record.handle(context, events[number]))
    return Measurement(
        name=f"events taken a second, {THREADS} threads; delivered again {again:.0f}",
        ours=f"{ours:.0f}/s",
        peer=f"bare creation of the same document {peer:.0f}/s",
        ratio=ours / peer,
    )


def _rate(work: Callable[[int], object]) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(EVENTS)))
    return EVENTS / (time.perf_counter() - began)


def _event(number: int) -> Envelope:
    """Return the update of a content piece by an API key."""
    document = f"content_pieces/{uuid.uuid4()}"
    now = time.time_ns() // 1000
    moment = datetime.now(UTC)
    data = {"content_id": document, "title": f"title {number}", "status": "draft", "updated_at": rfc3339(moment)}
    return Envelope(
        event_type="content-updated",
        event_id=event_id_of(document, now),
        timestamp=moment,
        tenant_id="bench",
        source_service="aso",
        schema_version=1,
        payload=Change(
            entity="content_piece",
            document=document,
            document_id=document.rpartition("/")[2],
            operation="updated",
            sequence=now,
            data=data,
            before={"title": "before", "updated_at": rfc3339(moment)},
            changed_fields=["title", "updated_at"],
        ),
        metadata=EventMetadata(correlation_id="c", request_id="r", actor="key:k", function="aso-content-update"),
    )
