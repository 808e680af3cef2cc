"""A tenant with a provisioned data set for a module, and facts put into it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from datetime import date
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


def emptied(context: Context) -> None:
    """Remove the tenant's facts."""
    [found] = tenant_facts(context.clients.settings.project, context.tenant_id).values()
    client = context.clients.get(bigquery_client)
    for table in (found.rows, found.batches):
        client.query(f"DELETE FROM {table.sql} WHERE TRUE").result()


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
    emptied(context)
    return context


@pytest.fixture
def recorded(tenant: Context) -> Recorder:
    """Records facts of the tenant."""

    def run(rows: Iterable[PerformanceRow]) -> None:
        record(tenant, list(rows), str(uuid.uuid4()))

    return run
