"""The opportunity scan's query over growing numbers of keywords, on the BigQuery of the local cloud.

One keyword in fifteen is an opportunity, one in twenty has one that is known, and one in a hundred has changed since
the last merge. The peers run on the same tables: the detection query of document 000 alone, and a loop in Python over
the rows that were checked lately.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from common.aso import gain, opportunity_rules
from common.aso.models import Keyword
from common.aso.scan_query import differences
from common.clients.registry import Clients
from common.context import Context, Deadline, Principal
from common.warehouse import query
from common.warehouse.provision import provision_tenant
from common.warehouse.query import rows
from tests.bench.report import Measurement
from tests.bench.stack import emulators

SIZES = (10_000, 100_000, 1_000_000)
LOOPED = 100_000
ROUNDS = {10_000: 9, 100_000: 5, 1_000_000: 3}
LIMIT = 500

KEYWORD_ROWS = """\
  SELECT
    CONCAT('keyword-', CAST(number AS STRING)) AS keyword_id,
    CONCAT('the keyword ', CAST(number AS STRING)) AS keyword,
    IF(MOD(number, 10) = 0, NULL, MOD(number * 7919, 3000)) AS search_volume,
    IF(MOD(number, 10) = 0, NULL, MOD(number * 729 + DIV(number, 1000) * 7, 999) / 10 + 0.1) AS difficulty_score,
    IF(MOD(number, 7) = 0, NULL, MOD(number * 63 + DIV(number, 100) * 37, 100) + 1) AS current_ranking,
    TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL MOD(number * 31, 60) DAY) AS last_checked,
    TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 90 DAY) AS created_at,
    IF(MOD(number, 10) = 0, MOD(number * 31, 900), NULL) AS observed_impressions,
    1 AS schema_version,
    1 AS change_sequence
  FROM UNNEST(GENERATE_ARRAY(1, @number)) AS number
"""
NAMES = (
    "keyword_id, keyword, search_volume, difficulty_score, current_ranking, last_checked, created_at, "
    "observed_impressions, schema_version, change_sequence"
)
KEYWORDS = f"""\
INSERT INTO {{keywords}} ({NAMES})
{KEYWORD_ROWS}"""
CHANGES = f"""\
INSERT INTO {{keywords_changes}} ({NAMES}, change_operation, change_event_id, appended_at)
SELECT * REPLACE (2 AS change_sequence), 'updated', keyword_id, CURRENT_TIMESTAMP()
FROM (
{KEYWORD_ROWS})
WHERE MOD(CAST(SUBSTR(keyword_id, 9) AS INT64), 100) = 1
"""
OPPORTUNITIES = """\
INSERT INTO {opportunities} (
  opportunity_id, opportunity_type, keyword, detected_at, status, created_at, keyword_id, holds, episode,
  schema_version, change_sequence
)
SELECT
  CONCAT('opportunity-', CAST(number AS STRING)), 'low_hanging_fruit', CONCAT('the keyword ', CAST(number AS STRING)),
  CURRENT_TIMESTAMP(), 'open', CURRENT_TIMESTAMP(), CONCAT('keyword-', CAST(number AS STRING)), TRUE, 1, 1, 1
FROM UNNEST(GENERATE_ARRAY(1, @number)) AS number
WHERE MOD(number, 20) = 3
"""

DOCUMENT_000 = """\
SELECT
  k.keyword_id, k.keyword, k.search_volume, k.difficulty_score, k.current_ranking,
  (k.search_volume / k.difficulty_score) AS opportunity_score
FROM {keywords_latest} k
WHERE DATE(k.last_checked) >= DATE_SUB(CURRENT_DATE(), INTERVAL 30 DAY)
  AND k.current_ranking > 10
  AND k.current_ranking <= 30
  AND k.difficulty_score < 50
  AND k.search_volume > 100
ORDER BY opportunity_score DESC
LIMIT 50
"""
"""The detection query of document 000 as it stands there."""

CHECKED = """\
SELECT keyword_id, keyword, search_volume, difficulty_score, current_ranking, last_checked, created_at,
  observed_impressions, observed_days
FROM {keywords_latest}
WHERE DATE(last_checked) >= @oldest_day
"""


def _tenant(clients: Clients, size: int) -> Context:
    """Return a tenant with ``size`` keywords."""
    tenant_id = f"scan_{size}"
    context = Context(
        function="aso-opportunity-scan-tenant",
        tenant_id=tenant_id,
        principal=Principal(kind="service", id="bench"),
        clients=clients,
        deadline=Deadline.after(900),
    )
    provision_tenant(context, tenant_id)
    for statement in (KEYWORDS, CHANGES, OPPORTUNITIES):
        query.run(context, statement, {"number": size}, timeout=300, attempts=1)
    (counted,) = rows(context, "SELECT COUNT(*) AS number FROM {keywords_latest}", {}, timeout=300)
    if counted["number"] != size:
        raise RuntimeError(f"{counted['number']} keywords instead of {size}")
    return context


@dataclass(frozen=True, kw_only=True, slots=True)
class Seconds:
    """What one number of keywords took.

    Attributes:
        ours: The scan's query.
        document: The detection query of document 000.
        loop: The loop in Python; None where it was not run.
    """

    ours: float
    document: float
    loop: float | None


def _seconds(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _loop(context: Context, today: date) -> int:
    """Find the opportunities as a loop over the rows; returns how many there are."""
    found = 0
    for row in rows(context, CHECKED, {"oldest_day": opportunity_rules.oldest_day(today)}, timeout=300):
        given = {name: value for name, value in row.items() if value is not None}
        keyword = Keyword.model_construct(**{"tenant_id": context.tenant_id, "updated_at": row["created_at"], **given})
        demand = opportunity_rules.demand_of(keyword)
        if opportunity_rules.classify(keyword, today) is None or demand is None or keyword.current_ranking is None:
            continue
        rank, difficulty = keyword.current_ranking, keyword.difficulty_score
        found += gain.expect(current=rank, demand=demand.monthly, difficulty=difficulty) is not None
    return found


def _measured(clients: Clients, size: int, today: date) -> Seconds:
    context = _tenant(clients, size)
    answer = differences(context, today, LIMIT)
    if not (answer.creatable and answer.closable and answer.kept):
        raise RuntimeError(f"the keywords hold no opportunities of some kind: {answer}")
    loop = None
    if size == LOOPED:
        started = time.perf_counter()
        found = _loop(context, today)
        loop = time.perf_counter() - started
        if found != answer.creatable + answer.kept:
            raise RuntimeError(f"the loop finds {found} opportunities, the query {answer.creatable + answer.kept}")
    return Seconds(
        ours=_seconds(lambda: differences(context, today, LIMIT), ROUNDS[size]),
        document=_seconds(lambda: rows(context, DOCUMENT_000, {}, timeout=300), ROUNDS[size]),
        loop=loop,
    )


def run() -> list[Measurement]:
    """Measure every size, each as a tenant of its own."""
    today = datetime.now(UTC).date()
    with emulators() as running:
        clients = Clients(running.settings("bench-scan"))
        found = {size: _measured(clients, size, today) for size in SIZES}
    return list(_report(found))


def _report(found: Mapping[int, Seconds]) -> Iterator[Measurement]:
    smallest = SIZES[0]
    for size, seconds in found.items():
        ratio = (seconds.ours / size) / (found[smallest].ours / smallest)
        yield Measurement(
            name=f"scan over {size:,} keywords, seconds per keyword",
            ours=f"{seconds.ours:.3f} s, {seconds.ours / size * 1e6:.2f} µs each",
            peer=f"over {smallest:,}: {found[smallest].ours / smallest * 1e6:.2f} µs each",
            ratio=ratio,
            aim="" if size == smallest else "at most 1",
            met=None if size == smallest else ratio <= 1,
        )
    largest = found[SIZES[-1]].ours
    yield Measurement(
        name=f"scan over {SIZES[-1]:,} keywords",
        ours=f"{largest:.2f} s",
        peer="",
        ratio=None,
        aim="seconds (below 10)",
        met=largest < 10,
    )
    for size, seconds in found.items():
        yield Measurement(
            name=f"scan over {size:,} keywords: both types, gain, difference from what is known",
            ours=f"{seconds.ours:.3f} s",
            peer=f"the query of document 000 alone: {seconds.document:.3f} s",
            ratio=seconds.ours / seconds.document,
        )
        if seconds.loop is not None:
            yield Measurement(
                name=f"scan over {size:,} keywords against a loop (peer over ours)",
                ours=f"{seconds.ours:.3f} s",
                peer=f"reading the rows and deciding in Python: {seconds.loop:.2f} s",
                ratio=seconds.loop / seconds.ours,
            )
