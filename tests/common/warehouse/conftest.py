"""A tenant with a provisioned warehouse on the emulators, whose every statement and row passes the guard."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from common.clients.bigquery import bigquery_client
from common.clients.registry import Clients
from common.context import Context, Deadline, Principal
from common.settings import Settings
from common.warehouse.provision import provision_tenant
from common.warehouse.tables import dataset_id, tenant_relations
from tests.warehouse_guard import guarded


@pytest.fixture(scope="module")
def clients(settings: Settings) -> Iterator[Clients]:
    """Clients of the emulators; BigQuery's refuses what the emulator would take and BigQuery would not."""
    made = Clients(settings)
    with guarded(made.get(bigquery_client)):
        yield made


def context_for(clients: Clients, tenant_id: str, seconds: float = 120) -> Context:
    """Return the context of an event function."""
    return Context(
        function="aso-warehouse-sync",
        tenant_id=tenant_id,
        principal=Principal(kind="service", id="sync@demo.iam.gserviceaccount.com"),
        clients=clients,
        deadline=Deadline.after(seconds),
    )


@pytest.fixture
def tenant(clients: Clients) -> Iterator[Context]:
    """The context of a new tenant whose tables exist."""
    tenant_id = f"t{uuid.uuid4().hex[:10]}"
    context = context_for(clients, tenant_id)
    provision_tenant(context, tenant_id)
    yield context
    client = clients.get(bigquery_client)
    for found in tenant_relations(clients.settings.project, tenant_id).values():
        client.delete_dataset(dataset_id(found.table, tenant_id), delete_contents=True, not_found_ok=True)
