"""A tenant with a provisioned data set, and its documents put into the warehouse as the sync would."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from google.cloud import bigquery

from common.aso.entities import KEYWORDS, OPPORTUNITIES
from common.aso.gain_model.entities import OPPORTUNITY_OUTCOMES
from common.aso.models import Keyword
from common.aso.performance.models import PerformanceRow
from common.clients.bigquery import bigquery_client
from common.clients.registry import Clients
from common.context import Context
from common.entity import Entity
from common.model import Model
from common.registry import entities
from common.store import Repository, in_chunks, transact
from common.warehouse.provision import provision_tenant
from common.warehouse.tables import relations
from tests.common.aso.scan.conftest import Warehouse, context_for

NOW = datetime.now(UTC)
TODAY = NOW.date()
MakeTenant = Callable[[], Context]


@pytest.fixture(scope="module")
def make_tenant(clients: Clients) -> MakeTenant:
    """Makes tenants with data sets."""

    def make() -> Context:
        context = context_for(clients, f"gain_{uuid.uuid4().hex[:10]}")
        provision_tenant(context, context.tenant_id)
        return context

    return make


def store(context: Context, entity: Entity[Any], values: Sequence[Model]) -> None:
    """Create documents."""
    for chunk in in_chunks(values, 200):
        transact(context, lambda work, chunk=chunk: [work.create(entity, each) for each in chunk])  # type: ignore[misc]


def synchronise(context: Context) -> None:
    """Make the warehouse hold the tenant's keywords, opportunities and outcomes."""
    warehouse = Warehouse(context)
    warehouse.keywords(*(each.value for each in Repository(KEYWORDS, context).select()))
    warehouse.opportunities(*(each.value for each in Repository(OPPORTUNITIES, context).select()))
    observed(
        context, "opportunity_outcome", [each.value for each in Repository(OPPORTUNITY_OUTCOMES, context).select()]
    )


def observed(context: Context, entity: str, values: Sequence[Model]) -> None:
    """Load immutable rows; those of before are forgotten."""
    found = relations(context.clients.settings.project, context.tenant_id, entities()[entity])
    client = context.clients.get(bigquery_client)
    client.query_and_wait(f"DELETE FROM {found.log.sql} WHERE TRUE")
    technical = {"change_operation": "created", "appended_at": datetime.now(UTC).isoformat()}
    rows = [
        Warehouse._row(found.table, value) | technical | {"change_event_id": str(number)}
        for number, value in enumerate(values)
    ]
    if rows:
        lines = "\n".join(map(json.dumps, rows)).encode()
        config = bigquery.LoadJobConfig(source_format="NEWLINE_DELIMITED_JSON")
        client.load_table_from_file(io.BytesIO(lines), found.log.id, job_config=config).result()


def clicked(
    query: str, position: float, impressions: int, clicks: int, day: date = TODAY, **fields: object
) -> PerformanceRow:
    """Return a row of search performance of one day."""
    return PerformanceRow.model_validate(
        {
            "date": day.isoformat(),
            "query": query,
            "position": position,
            "impressions": impressions,
            "clicks": clicks,
            "source": "search_console_api",
        }
        | fields
    )


def days_before(day: date, number: int) -> list[date]:
    """Return so many days before a day, the earliest first."""
    return [day - timedelta(days=back) for back in range(number, 0, -1)]


def fruits(context: Context, number: int) -> list[Keyword]:
    """Return keywords of the tenant that are low-hanging fruit."""
    from tests.common.aso.scan.conftest import keyword

    return [
        keyword(
            context,
            f"search {index:02d}",
            search_volume=3000 + 100 * index,
            difficulty_score=float(10 + index % 30),
            current_ranking=12 + index % 8,
            average_position=float(12 + index % 8),
            last_checked=NOW,
        )
        for index in range(number)
    ]
