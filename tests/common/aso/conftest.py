"""A tenant of its own for every test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from common.clients.bigquery import bigquery_client
from common.clients.registry import Clients
from common.context import Context
from common.settings import Settings
from tests.common.security import context_of
from tests.warehouse_guard import guarded


@pytest.fixture(scope="module")
def clients(settings: Settings) -> Iterator[Clients]:
    """Clients of the emulators; BigQuery's refuses what the emulator would take and BigQuery would not."""
    made = Clients(settings)
    with guarded(made.get(bigquery_client)):
        yield made


@pytest.fixture
def context(clients: Clients) -> Context:
    """The circumstances of a request of a tenant nobody else has."""
    return context_of(clients, f"tenant_{uuid.uuid4().hex[:12]}")
