"""Recording search performance: rows of any source, normalised, linked to keywords, and idempotent.

A row's id derives from everything that says what it is about, so the same measurement told again takes the place of
the older one, whichever file or call it came in.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from common.aso.normalize import keyword_id_of, normalized_keyword, normalized_url
from common.aso.performance.models import PerformanceRow
from common.context import Context
from common.errors import Unprocessable
from common.identifiers import derived_uuid
from common.model import rfc3339
from common.registry import FactsRecord, facts
from common.warehouse import facts as warehouse

NAME = "search_performance"


def declared() -> FactsRecord:
    """Return the declaration of search performance."""
    return facts()[NAME]


def record(context: Context, rows: Iterable[PerformanceRow], import_id: str, *, sequence: int | None = None) -> int:
    """Store rows that count at once, and wake what depends on them; return how many were stored.

    Rows of one import that are about the same thing are one row, of which the last counts. Recording again changes
    nothing. ``retract`` is the inverse.

    Args:
        context: Tenant, clients and deadline.
        rows: At most some ten thousand at a time; they are held in memory.
        import_id: What brought them, such as a job's id.
        sequence: Of two rows about the same thing, from different imports, the greater counts; None for the present.

    Raises:
        PoisonEvent: BigQuery refuses a row.
        Unavailable: A dependency does not answer; recording again is harmless.
    """
    number = warehouse.sequence_now() if sequence is None else sequence
    made = fact_rows(context.tenant_id, rows, import_id=import_id)
    if not made:
        return 0
    stored = warehouse.append_facts(context, declared(), made, batch=import_id, sequence=number)
    warehouse.wake_facts(context, declared())
    return stored


def retract(context: Context, import_id: str) -> None:
    """Take back what an import recorded; what it had replaced counts again.

    Raises:
        Unavailable: A dependency does not answer; retracting again is harmless.
    """
    warehouse.retract_batch(context, declared(), import_id)


def fact_rows(
    tenant_id: str, rows: Iterable[PerformanceRow], *, import_id: str | None, now: datetime | None = None
) -> list[dict[str, Any]]:
    """Return rows as the table takes them, one per id."""
    created_at = rfc3339(now or datetime.now(UTC))
    keywords: dict[str, str] = {}
    made: dict[str, dict[str, Any]] = {}
    for row in rows:
        fact = row.model_dump(mode="json")
        fact |= {
            "row_id": row_id_of(tenant_id, row),
            "from_date": row.first_day,
            "dimensions": row.dimensions,
            "keyword_id": _keyword_id(tenant_id, row.query, keywords),
            "page_key": None if row.page is None else page_key_of(row.page),
            "import_id": import_id,
            "created_at": created_at,
        }
        made[fact["row_id"]] = fact
    return list(made.values())


def row_id_of(tenant_id: str, row: PerformanceRow) -> str:
    """Return the id of a measurement: everything that says what was measured, and nothing of what came out."""
    cut = (row.query, row.page, row.device, row.country)
    named = (row.site or "", row.first_day, row.date, row.search_type, row.dimensions, *(part or "" for part in cut))
    return str(derived_uuid("aso.search_performance", tenant_id, *named))


def page_key_of(page: str) -> str:
    """Return the form in which pages are compared, that of ``ContentPiece.url_normalized``.

    An address that nobody could publish at, such as a path alone, is compared as it is written.
    """
    try:
        return normalized_url(page)
    except Unprocessable:
        return page


def _keyword_id(tenant_id: str, query: str | None, known: dict[str, str]) -> str | None:
    if query is None or not normalized_keyword(query):
        return None
    if query not in known:
        known[query] = keyword_id_of(tenant_id, query)
    return known[query]
