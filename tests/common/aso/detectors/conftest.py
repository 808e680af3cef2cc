"""A tenant with a provisioned data set for a module, and facts put into it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from common.aso.performance.models import PerformanceRow
from common.aso.performance.record import record
from common.clients.bigquery import bigquery_client
from common.clients.registry import Clients
from common.context import Context
from common.warehouse.fact_tables import tenant_facts
from common.warehouse.provision import provision_tenant
from tests.common.aso.scan.conftest import context_for

Recorder = Callable[[Iterable[PerformanceRow]], None]


def fact(day: date, **fields: Any) -> PerformanceRow:
    """Return a row of search performance; a page with a query unless told otherwise."""
    values: dict[str, Any] = {
        "date": day.isoformat(),
        "query": "scan",
        "page": "https://example.com/scan",
        "clicks": 1,
        "impressions": 10,
        "position": 5.0,
        "source": "test",
    } | fields
    return PerformanceRow(**values)


def weekly_facts(newest: date, visits: Sequence[float | None], **fields: Any) -> list[PerformanceRow]:
    """Return a row a week, on its last day, the oldest first; None leaves a week out."""
    last = len(visits) - 1
    return [
        fact(
            newest - timedelta(days=7 * (last - week)),
            clicks=round(value),
            **({"impressions": 10 * round(value) + 10} | fields),
        )
        for week, value in enumerate(visits)
        if value is not None
    ]


@pytest.fixture(scope="module")
def provisioned(clients: Clients) -> str:
    """The tenant of a module: provisioning a data set takes longer than most tests."""
    context = context_for(clients, f"detect_{uuid.uuid4().hex[:8]}")
    provision_tenant(context, context.tenant_id)
    return context.tenant_id


@pytest.fixture
def tenant(clients: Clients, provisioned: str) -> Context:
    """The tenant without facts."""
    context = context_for(clients, provisioned)
    [found] = tenant_facts(clients.settings.project, context.tenant_id).values()
    client = clients.get(bigquery_client)
    for table in (found.rows, found.batches):
        client.query(f"DELETE FROM {table.sql} WHERE TRUE").result()
    return context


@pytest.fixture
def recorded(tenant: Context) -> Recorder:
    """Records facts of the tenant."""

    def run(rows: Iterable[PerformanceRow]) -> None:
        record(tenant, list(rows), str(uuid.uuid4()))

    return run
