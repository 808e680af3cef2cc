"""The tables of search optimisation that can be exported, and how each is read.

Keywords, opportunities and content come from Firestore as one snapshot. Facts of a period come from the warehouse, day
by day and within a day by id, so that every query reads one partition. Views of ranks and performance are computed as
their operations do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, get_args

from common.aso.entities import CONTENT_PIECES, KEYWORDS, OPPORTUNITIES
from common.aso.models import ContentPiece, Keyword, Opportunity, RankObservation
from common.aso.performance import read as performance
from common.aso.performance.read_models import Figures, PerformanceQuery
from common.aso.views import distribution, movers, share_of_voice
from common.aso.views.models import Bucket, DistributionQuery, Mover, MoversQuery, Share, ShareQuery
from common.context import Context
from common.exports.columns import Column, columns_of
from common.exports.source import Page, Reading, Source, of_documents, of_rows
from common.model import Model
from common.warehouse.query import Typed, rows

DAY_ROWS = 10_000
"""Rows of one query."""
PATIENCE = 120.0

LEFT_OUT = frozenset({"tenant_id", "serp_history", "provenance", "keyword_normalized", "url_normalized"})
"""What a table has no use for: the caller's own tenant, forms for comparison, and lists with an export of their own."""

RANKS_SQL = """\
SELECT observation_id, keyword_id, keyword, date, checked_at, device, locale, state, position, depth, url, source,
  features, impressions, clicks, created_at
FROM {rank_observations_latest}
WHERE date = @day AND observation_id > @after
ORDER BY observation_id
LIMIT @number
"""

FACTS_SQL = """\
SELECT row_id, date, from_date, site, dimensions, query, keyword_id, page, device, country, search_type, clicks,
  impressions, position, source, import_id
FROM {search_performance_latest}
WHERE date = @day AND row_id > @after
ORDER BY row_id
LIMIT @number
"""
FACT_COLUMNS = (
    Column(name="row_id"),
    Column(name="from_date", kind="day"),
    Column(name="date", kind="day"),
    *(Column(name=name) for name in ("site", "dimensions", "query", "keyword_id", "page", "device", "country")),
    Column(name="search_type"),
    Column(name="clicks", kind="integer"),
    Column(name="impressions", kind="integer"),
    Column(name="position", kind="number"),
    *(Column(name=name) for name in ("source", "import_id")),
)


def of_days(columns: Sequence[Column], sql: str, key: str) -> Source:
    """Return a source of facts of a period, a day after the other.

    Args:
        columns: The columns of the query.
        sql: Asks for the rows of ``@day`` whose key is above ``@after``, in its order, ``@number`` at most.
        key: Column that identifies a row within a day; a text.
    """

    def pages(reading: Reading) -> Iterator[Page]:
        last = date.fromisoformat(reading.filters["to"])
        day, after = reading.after or (reading.filters["from"], "")
        while (current := date.fromisoformat(day)) <= last:
            found = _of_day(reading, sql, current, after)
            more = len(found) == DAY_ROWS
            day = day if more else (current + timedelta(days=1)).isoformat()
            after = found[-1][key] if more else ""
            yield Page(rows=found, cursor=[day, after])

    return Source(columns=columns, pages=pages)


def _of_day(reading: Reading, sql: str, day: date, after: str) -> list[Mapping[str, Any]]:
    parameters = {"day": day, "after": Typed("STRING", after), "number": DAY_ROWS}
    return rows(reading.context, sql, parameters, timeout=PATIENCE)


def _equal(**names: str) -> Callable[[Model, Mapping[str, Any]], bool]:
    """Return a rule that compares a field of the model with the filter of each name."""

    def keep(model: Model, filters: Mapping[str, Any]) -> bool:
        return all(getattr(model, field) == filters[name] for name, field in names.items() if name in filters)

    return keep


def _performance(context: Context, filters: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    asked = {"by": "query", "limit": 1000, **filters}
    for item in performance.items(context, PerformanceQuery.model_validate(asked)):
        yield {"by": asked["by"], "item": item[asked["by"]], **item}


def _movers(context: Context, filters: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return movers.rows(context, MoversQuery.model_validate(filters))


def _shares(context: Context, filters: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return share_of_voice.rows(context, ShareQuery.model_validate(filters))


def _distribution(context: Context, filters: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return distribution.rows(context, DistributionQuery.model_validate(filters))


SOURCES: Mapping[str, Source] = {
    "keywords": of_documents(
        KEYWORDS,
        columns_of(Keyword, leave_out=LEFT_OUT, days={"observed_until"}),
        _equal(priority="priority", intent="intent"),
    ),
    "opportunities": of_documents(
        OPPORTUNITIES,
        columns_of(Opportunity, leave_out=LEFT_OUT),
        _equal(status="status", opportunity_type="opportunity_type"),
    ),
    "content": of_documents(
        CONTENT_PIECES,
        columns_of(ContentPiece, leave_out=LEFT_OUT),
        _equal(content_status="status", content_type="content_type"),
    ),
    "ranks": of_days(columns_of(RankObservation, leave_out=LEFT_OUT, days={"date"}), RANKS_SQL, "observation_id"),
    "performance_facts": of_days(FACT_COLUMNS, FACTS_SQL, "row_id"),
    "performance": of_rows([Column(name="by"), Column(name="item"), *columns_of(Figures)], _performance),
    "movers": of_rows(columns_of(Mover, days={"from_date", "to_date"}), _movers),
    "share_of_voice": of_rows(
        [*columns_of(Share, leave_out={"share_ppm"}), Column(name="share", kind="number")], _shares
    ),
    "position_distribution": of_rows(
        [
            Column(name="date", kind="day"),
            *(Column(name=f"rank_{bucket}", kind="integer") for bucket in get_args(Bucket)),
        ],
        _distribution,
    ),
}
