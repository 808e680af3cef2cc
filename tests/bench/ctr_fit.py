"""Fitting click-through curves to 10,000 and 100,000 rows of search performance, on the BigQuery of the local cloud.

The warehouse adds the rows up by rank and segment, and Python fits some hundred sums. The peer reads the same rows and
adds them up one by one in Python, with the same result; so the ratio says what the aggregation is worth, on an emulator
whose rows are next door.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from common.aso.gain_model import curve
from common.aso.gain_model.curve import Counts, Sighting
from common.aso.gain_model.curve_query import evidence
from common.aso.gain_model.model import Segment
from common.aso.normalize import holds_term
from common.aso.performance.coverage import CHOSEN, coverage
from common.clients.bigquery import bigquery_client
from common.clients.registry import Clients
from common.context import Context, Deadline, Principal
from common.warehouse import query
from common.warehouse.fact_tables import tenant_facts
from common.warehouse.provision import provision_tenant
from tests.bench.report import Measurement
from tests.bench.stack import emulators

SIZES = (10_000, 100_000)
DAYS = 50
ROUNDS = 3
TERMS = ("acme",)

FACTS = """\
INSERT INTO {table} (
  row_id, date, from_date, dimensions, query, device, search_type, clicks, impressions, position, features, source,
  created_at, batch_id, appended_at, schema_version, change_sequence
)
SELECT
  CONCAT('row-', CAST(number AS STRING)),
  DATE_SUB(CURRENT_DATE(), INTERVAL MOD(number, {days}) DAY),
  DATE_SUB(CURRENT_DATE(), INTERVAL MOD(number, {days}) DAY),
  'query+device',
  CONCAT(IF(MOD(number, 11) = 0, 'acme ', 'the '), 'search ', CAST(DIV(number, {days}) AS STRING)),
  IF(MOD(number, 3) = 0, 'desktop', 'mobile'),
  'web',
  CAST(FLOOR((20 + MOD(number * 7, 40)) / (1 + MOD(number * 31, 28))) AS INT64),
  60 + MOD(number * 13, 400),
  1 + MOD(number * 31, 280) / 10,
  IF(MOD(number, 5) = 0, ['video'], []),
  'search_console_api',
  CURRENT_TIMESTAMP(), 'bench', CURRENT_TIMESTAMP(), 1, 1
FROM UNNEST(GENERATE_ARRAY(1, {size})) AS number
"""

ROWS = f"""\
SELECT query, device, features, clicks, impressions, position
FROM {{search_performance_latest}}
WHERE {CHOSEN}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seconds:
    """What one number of rows took: aggregate and fit, the aggregate alone, the fit alone, row by row in Python."""

    whole: float
    aggregate: float
    fit: float
    loop: float
    sums: int


def _tenant(clients: Clients, size: int) -> Context:
    """Return a tenant with ``size`` rows of search performance."""
    context = Context(
        function="aso-ctr-fit-tenant",
        tenant_id=f"fit_{size}",
        principal=Principal(kind="service", id="bench"),
        clients=clients,
        deadline=Deadline.after(900),
    )
    provision_tenant(context, context.tenant_id)
    table = tenant_facts(clients.settings.project, context.tenant_id)["search_performance"].rows.sql
    statement = FACTS.replace("{table}", table).replace("{days}", str(DAYS)).replace("{size}", str(size))
    clients.get(bigquery_client).query(statement).result(timeout=300)
    return context


def _timed(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _loop(context: Context, today: date) -> Mapping[str, Counts]:
    """Add the rows up one by one; returns the counts of every segment."""
    chosen = coverage(context, {"query", "device"}, today - timedelta(days=90), today)
    found: dict[str, list[Sighting]] = defaultdict(list)
    for row in query.rows(context, ROWS, chosen.parameters(), timeout=300):
        sighting = Sighting(position=row["position"], impressions=row["impressions"], clicks=row["clicks"])
        if sighting.usable:
            own = Segment(brand=holds_term(row["query"], TERMS), device=row["device"])
            for key in (*own.keys, *(f"feature:{name}" for name in row["features"])):
                found[key].append(sighting)
    return {key: curve.counted(sightings) for key, sightings in found.items()}


def _measured(clients: Clients, size: int, today: date) -> Seconds:
    context = _tenant(clients, size)
    seen = evidence(context, TERMS, today)
    if seen.rows_used != size:
        raise RuntimeError(f"{seen.rows_used} rows instead of {size}")
    aggregate = _timed(lambda: evidence(context, TERMS, today))
    fit = _timed(lambda: curve.fit_all(seen.segments))
    started = time.perf_counter()
    peer = _loop(context, today)
    loop = time.perf_counter() - started
    for key, counts in seen.segments.items():
        if max(abs(a - b) for a, b in zip(counts.impressions, peer[key].impressions, strict=True)) > 0.01:
            raise RuntimeError(f"the loop counts {key} otherwise")
    fitted = curve.fit_all(seen.segments)
    if any(each.reason is not None for each in fitted.values()):
        raise RuntimeError("a segment was not fitted")
    return Seconds(whole=aggregate + fit, aggregate=aggregate, fit=fit, loop=loop + fit, sums=30 * len(fitted))


def run() -> list[Measurement]:
    """Measure every size, each as a tenant of its own."""
    today = datetime.now(UTC).date()
    with emulators() as running:
        clients = Clients(running.settings("bench-fit"))
        found = {size: _measured(clients, size, today) for size in SIZES}
    return list(_report(found))


def _report(found: Mapping[int, Seconds]) -> Iterator[Measurement]:
    for size, seconds in found.items():
        yield Measurement(
            name=f"curves of {size:,} rows: aggregate in the warehouse and fit (peer over ours)",
            ours=f"{seconds.whole:.2f} s, of which the fit {seconds.fit:.3f} s over {seconds.sums} sums",
            peer=f"reading the rows, adding them up in Python, the same fit: {seconds.loop:.2f} s",
            ratio=seconds.loop / seconds.whole,
            aim="above 1",
            met=seconds.loop > seconds.whole,
        )
    small, large = (found[size] for size in SIZES)
    growth = SIZES[1] / SIZES[0]
    yield Measurement(
        name=f"seconds per row over {SIZES[1]:,} rows",
        ours=f"{large.whole / SIZES[1] * 1e6:.1f} µs",
        peer=f"over {SIZES[0]:,}: {small.whole / SIZES[0] * 1e6:.1f} µs",
        ratio=large.whole / growth / small.whole,
        aim="at most 1",
        met=large.whole / growth <= small.whole,
    )
