"""What an hour costs: 1,000 tenants of whom 50 changed, and a tenant with a million keywords next to a hundred others.

Counted are the document reads that Firestore bills, queries of BigQuery and tasks; the work is done one tenant after
the other in this process, on the emulators. The peer scans every tenant every hour: it lists the tenants, makes a task
for each and asks the same query of each. A hundred tenants have data sets (a thousand would take longer to make than
everything else): the peer's scans of those that did not change are measured on fifty and charged 950 times.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import cycle, takewhile
from typing import Any

from common.aso import scan
from common.aso.entities import OPPORTUNITIES, SCAN
from common.aso.models import Keyword
from common.aso.opportunity_models import ScanTask
from common.clients.bigquery import bigquery_client
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import PLATFORM_TENANT, Context, Deadline
from common.store import Repository, in_chunks
from common.tasks import enqueue
from common.warehouse import marks, source
from common.warehouse.marks import EVERYTHING, finished, marked, path_of
from tests.bench.report import Measurement, percentile
from tests.bench.stack import emulators
from tests.common.aso.scan.conftest import Warehouse, context_for, keyword
from tests.common.aso.scan.test_scale import large_tenant, small_tenant
from tests.common.aso.scan.test_scan import store
from tests.common.queues import make_queues, tasks_of

TENANTS = 1000
CHANGED = 50
WITH_DATA = 100
MILLION = 1_000_000
LIMIT = 1000
"""Creations of the large tenant's run."""
ALONE = 25
"""Scans of small tenants that the time of one is taken from."""
LONG = 3600.0
"""Seconds for everything."""


@dataclass(kw_only=True, slots=True)
class Cost:
    """What some work cost.

    Attributes:
        reads: Documents read; a query that finds none is one.
        queries: Queries of BigQuery.
        tasks: Tasks made.
        seconds: Time.
    """

    reads: int = 0
    queries: int = 0
    tasks: int = 0
    seconds: float = 0.0


@contextmanager
def counted(clients: Clients) -> Iterator[Cost]:
    """Count what happens until the block ends."""
    cost = Cost()
    # The wire, so that nothing is forgotten: reads of documents, of queries and within transactions.
    wire: Any = clients.get(firestore_client)._firestore_api
    warehouse: Any = clients.get(bigquery_client)
    run_query, get, ask = wire.run_query, wire.batch_get_documents, warehouse.query

    def counting(call: Callable[..., Any], found: Callable[[Any], bool]) -> Callable[..., Any]:
        def counts(*given: Any, **options: Any) -> Iterator[Any]:
            documents = 0
            for answer in call(*given, **options):
                documents += found(answer)
                yield answer
            cost.reads += max(1, documents)

        return counts

    def asking(*given: Any, **options: Any) -> Any:
        cost.queries += 1
        return ask(*given, **options)

    wire.run_query = counting(run_query, lambda answer: bool(answer.document.name))
    wire.batch_get_documents = counting(get, lambda answer: bool(answer.found.name or answer.missing))
    warehouse.query = asking
    started = time.perf_counter()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - started
        wire.run_query, wire.batch_get_documents, warehouse.query = run_query, get, ask


def _tenants(clients: Clients) -> list[Context]:
    """Store the directory of all tenants and their marks, and return those with data, scanned and in step."""
    deadline = Deadline.after(LONG)
    known = [replace(small_tenant(clients, number), deadline=deadline) for number in range(WITH_DATA)]
    for each in known:
        scan.scan(each, 100)
        _in_step(each)
    names = [each.tenant_id for each in known] + [f"without_{number}" for number in range(TENANTS - WITH_DATA)]
    client, now = clients.get(firestore_client), datetime.now(UTC)
    for chunk in in_chunks(names, 200):
        batch = client.batch()
        for name in chunk:
            batch.set(client.document(f"tenants/{name}"), {"tenant_id": name, "status": "active"})
            done = finished({**marked(SCAN, name, EVERYTHING, now), "pending": False, "working_since": now}, now, {})
            batch.set(client.document(path_of(SCAN, name, EVERYTHING)), done)
        batch.commit()
    return known


def _in_step(context: Context) -> None:
    """Make the warehouse hold the opportunities that the documents hold."""
    Warehouse(context).opportunities(*(each.value for each in Repository(OPPORTUNITIES, context).select()))


def _change(tenants: Sequence[Context], name: str) -> None:
    """Give each tenant one more keyword that is an opportunity."""
    for each in tenants:
        fruit: dict[str, Any] = {"search_volume": 900, "difficulty_score": 10.0, "current_ranking": 14}
        value: Keyword = keyword(each, name, last_checked=datetime.now(UTC), **fruit)
        store(each, value)
        Warehouse(each).put("keyword", [value])
        marks.set_marks(each, each.tenant_id, [(SCAN, EVERYTHING)])


def _ours(clients: Clients, known: Sequence[Context]) -> tuple[Cost, int]:
    """Do an hour as it is deployed; return what it cost and the opportunities it made."""
    by_name = {each.tenant_id: each for each in known}
    created = 0
    with counted(clients) as cost:
        cost.tasks = scan.enqueue_changed(context_for(clients, PLATFORM_TENANT, LONG))
        for task in tasks_of(clients, scan.TENANT_TASK):
            body = ScanTask.model_validate_json(task.http_request.body)
            created += scan.scan_claimed(by_name[task.http_request.headers["X-Tenant-ID"]], body).created
    return cost, created


def _peer(clients: Clients, known: Sequence[Context]) -> tuple[Cost, int]:
    """Do an hour by scanning everybody; those that did not change are charged as the mean of the ones measured."""
    platform, created = context_for(clients, PLATFORM_TENANT, LONG), 0
    with counted(clients) as cost:
        for tenant_id in source.tenant_ids(platform):
            body = ScanTask(working_since=datetime.now(UTC))
            enqueue(platform.for_tenant(tenant_id), scan.TENANT_TASK, body, dispatch_deadline=600)
            cost.tasks += 1
        for each in known[:CHANGED]:
            created += scan.scan(each, scan.SCHEDULED_LIMIT).created
    idle = known[CHANGED:]
    with counted(clients) as measured:
        for each in idle:
            created += scan.scan(each, scan.SCHEDULED_LIMIT).created
    times = (TENANTS - CHANGED) / len(idle)
    cost.reads += round(measured.reads * times)
    cost.queries += round(measured.queries * times)
    cost.seconds += measured.seconds * times
    return cost, created


def run() -> list[Measurement]:
    """Measure the hour, then the large tenant next to the others."""
    with emulators() as running:
        clients = Clients(running.settings("bench-schedule"))
        make_queues(clients, scan.TENANT_TASK)
        known = _tenants(clients)
        _change(known[:CHANGED], "new for us")
        ours, made = _ours(clients, known)
        for each in known[:CHANGED]:
            _in_step(each)
        _change(known[:CHANGED], "new for the peer")
        peer, peer_made = _peer(clients, known)
        if (made, peer_made) != (CHANGED, CHANGED):
            raise RuntimeError(f"{made} and {peer_made} opportunities instead of {CHANGED} each")
        for each in known[:CHANGED]:
            _in_step(each)
        return [*_hour(ours, peer), *_beside(clients, known)]


def _hour(ours: Cost, peer: Cost) -> Iterator[Measurement]:
    name = f"an hour of {TENANTS:,} tenants of whom {CHANGED} changed"
    share = CHANGED / TENANTS
    for what in ("reads", "queries", "tasks"):
        mine, theirs = getattr(ours, what), getattr(peer, what)
        yield Measurement(
            name=f"{name}: {'document reads' if what == 'reads' else what}",
            ours=f"{mine:,}",
            peer=f"scan every tenant: {theirs:,}",
            ratio=mine / theirs,
            aim="" if what == "reads" else f"the share that changed ({share:.2f})",
            met=None if what == "reads" else mine / theirs <= share,
        )
    yield Measurement(
        name=f"{name}: time, one tenant after the other",
        ours=f"{ours.seconds:.1f} s",
        peer=f"scan every tenant: {peer.seconds:.1f} s",
        ratio=ours.seconds / peer.seconds,
        aim="below 0.1",
        met=ours.seconds / peer.seconds < 0.1,
    )


def _beside(clients: Clients, known: Sequence[Context]) -> Iterator[Measurement]:
    """Scan the small tenants alone, and again while a tenant with a million keywords is scanned."""
    large = replace(large_tenant(clients, MILLION, LIMIT), deadline=Deadline.after(LONG))
    alone = sorted(_scan_of_nothing(each) for each in known[:ALONE])
    with ThreadPoolExecutor(1) as pool:
        scanning = pool.submit(_timed, functools.partial(scan.scan, large, LIMIT))
        beside = sorted(_scan_of_nothing(each) for each in takewhile(lambda _: not scanning.done(), cycle(known)))
        seconds, result = scanning.result()
    size = len(result.model_dump_json())
    if result.created != LIMIT or Repository(OPPORTUNITIES, large).count() != LIMIT:
        raise RuntimeError(f"a run of {LIMIT} wrote {result.created}")
    yield Measurement(
        name=f"a tenant with {MILLION:,} keywords: one run",
        ours=f"{seconds:.1f} s, {result.created:,} written, {result.remaining:,} left, answer of {size / 1000:.0f} kB",
        peer="",
        ratio=None,
        aim=f"at most {LIMIT:,} written and 100 kB answered",
        met=result.created <= LIMIT and size < 100_000,
    )
    yield Measurement(
        name=f"scan of one of {WITH_DATA} small tenants beside it, median (one emulator serves both)",
        ours=f"{percentile(beside, 0.5):.3f} s",
        peer=f"alone: {percentile(alone, 0.5):.3f} s",
        ratio=percentile(beside, 0.5) / percentile(alone, 0.5),
    )


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def _scan_of_nothing(tenant: Context) -> float:
    """Scan a tenant of which nothing changed; return the seconds."""
    seconds, result = _timed(functools.partial(scan.scan, tenant, 100))
    if result.created or result.closed or result.remaining:
        raise RuntimeError(f"nothing changed, and yet: {result}")
    return seconds
