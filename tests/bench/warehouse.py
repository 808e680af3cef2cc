"""Rows into BigQuery: group commit against one insert per event; and how soon a written piece can be queried."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from google.cloud import bigquery

from common.clients.bigquery import bigquery_client
from common.clients.registry import Clients
from common.context import Context, Deadline, Principal
from common.model import rfc3339
from common.registry import entities
from common.warehouse.log import append, append_together
from common.warehouse.provision import provision_tenant
from common.warehouse.query import rows
from common.warehouse.rows import LogRow
from common.warehouse.tables import relations
from tests.bench.report import Measurement, percentile
from tests.bench.stack import create_tenant, emulators, local_cloud

THREADS = 80
"""Requests that an instance of the sync serves at once."""
GROUPED, SINGLE, ALONE = 4_000, 240, 60
SAMPLES = 40
SEEN = "SELECT content_id FROM {content_pieces_latest} WHERE content_id = @content_id"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Rows a second.

    Attributes:
        grouped: With group commit, from many threads.
        single: With one insert per row, from as many threads.
        alone: With group commit, from one thread.
        single_alone: With one insert per row, from one thread.
    """

    grouped: float
    single: float
    alone: float
    single_alone: float


def _context(clients: Clients, tenant_id: str) -> Context:
    return Context(
        function="aso-warehouse-sync",
        tenant_id=tenant_id,
        principal=Principal(kind="service", id="bench"),
        clients=clients,
        deadline=Deadline.after(600),
    )


def _row(number: int) -> LogRow:
    now = rfc3339(datetime.now(UTC))
    values = {
        "keyword_id": f"keyword-{number}",
        "keyword": f"the keyword {number}",
        "search_volume": number,
        "last_checked": now,
        "created_at": now,
        "schema_version": 1,
        "change_sequence": number,
        "change_operation": "created",
        "change_event_id": f"event-{number}",
    }
    return LogRow(values=values, event_id=f"event-{number}", size=400)


def _per_second(store: Callable[[LogRow], object], numbers: range, threads: int) -> float:
    values = [_row(number) for number in numbers]
    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        for _ in pool.map(store, values):
            pass
        return len(numbers) / (time.perf_counter() - started)


def _rates() -> Rates:
    with emulators() as running:
        context = _context(Clients(running.settings("bench-rows")), "rows")
        provision_tenant(context, context.tenant_id)
        log = relations(context.clients.settings.project, context.tenant_id, entities()["keyword"]).log

        def together(row: LogRow) -> None:
            append_together(context, log, row)

        def one(row: LogRow) -> None:
            append(context, log, [row])

        sizes = iter((ALONE, ALONE, SINGLE, GROUPED))
        start = 0

        def next_range() -> range:
            nonlocal start
            size = next(sizes)
            start += size
            return range(start - size, start)

        for number in (10_000_001, 10_000_002):  # the first insert opens connections
            one(_row(number))
        found = Rates(
            alone=_per_second(together, next_range(), 1),
            single_alone=_per_second(one, next_range(), 1),
            single=_per_second(one, next_range(), THREADS),
            grouped=_per_second(together, next_range(), THREADS),
        )
        (counted,) = rows(context, "SELECT COUNT(DISTINCT keyword_id) AS number FROM {keywords_changes}", {})
        if counted["number"] != start + 2:
            raise RuntimeError(f"{counted['number']} rows arrived of {start + 2}")
        return found


def _until_seen(context: Context, content_id: str, give_up: float) -> None:
    while not rows(context, SEEN, {"content_id": content_id}):
        if time.perf_counter() > give_up:
            raise RuntimeError(f"{content_id} is not in the warehouse")


def _latencies() -> tuple[list[float], list[float]]:
    """Return the milliseconds from a write to its row in a query: through the local cloud, and inserted directly."""
    ours, direct = [], []
    with local_cloud() as cloud:
        tenant = create_tenant(cloud, "bench")
        context = _context(Clients(cloud.settings), tenant.tenant_id)
        log = relations(cloud.settings.project, tenant.tenant_id, entities()["content_piece"]).log
        client: bigquery.Client = context.clients.get(bigquery_client)
        for number in range(SAMPLES + 1):
            body = {"content_type": "hub", "keyword_primary": f"keyword {number}", "title": f"Title {number}"}
            started = time.perf_counter()
            piece = tenant.call("POST", "/v1/aso/content", json=body).json()
            _until_seen(context, piece["content_id"], started + 30)
            ours.append((time.perf_counter() - started) * 1000)
            piece |= {"content_id": f"direct-{number}"}
            columns = {column.name for column in log.columns}
            row = {name: value for name, value in piece.items() if name in columns and value is not None}
            row |= {"change_sequence": 1, "change_operation": "created", "change_event_id": f"direct-{number}"}
            started = time.perf_counter()
            row["appended_at"] = rfc3339(datetime.now(UTC))
            if client.insert_rows_json(log.id, [row]):
                raise RuntimeError("the row was refused")
            _until_seen(context, f"direct-{number}", started + 30)
            direct.append((time.perf_counter() - started) * 1000)
    return sorted(ours[1:]), sorted(direct[1:])  # the first one of each warms up


def run() -> list[Measurement]:
    """Measure the rates first, then the latency."""
    return [*_rate_lines(_rates()), *_latency_lines(*_latencies())]


def _rate_lines(found: Rates) -> Iterator[Measurement]:
    ratio = found.grouped / found.single
    yield Measurement(
        name=f"single rows into BigQuery, {THREADS} threads",
        ours=f"group commit: {found.grouped:.0f} a second",
        peer=f"one insert per row: {found.single:.0f} a second",
        ratio=ratio,
        aim="at least 10",
        met=ratio >= 10,
    )
    yield Measurement(
        name="single rows into BigQuery, one thread",
        ours=f"group commit: {found.alone:.0f} a second",
        peer=f"one insert per row: {found.single_alone:.0f} a second",
        ratio=found.alone / found.single_alone,
    )


def _latency_lines(ours: list[float], direct: list[float]) -> Iterator[Measurement]:
    for share in (0.5, 0.95):
        mine, theirs = percentile(ours, share), percentile(direct, share)
        yield Measurement(
            name=f"from POST to the row in content_pieces_latest, p{share * 100:.0f}",
            ours=f"{mine:.0f} ms",
            peer=f"insert and query directly: {theirs:.0f} ms",
            ratio=mine / theirs,
        )
