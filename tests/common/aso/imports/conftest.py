"""Tenants that import: with the buckets of the deployment, and one with tables in the warehouse."""

from __future__ import annotations

import itertools
import uuid

import pytest

from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.context import Context
from common.warehouse.provision import provision_tenant
from tests.common.aso.scan.conftest import context_for

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def buckets(clients: Clients) -> None:
    """The buckets that the deployment has."""
    for name in (clients.settings.content_bucket, clients.settings.report_bucket):
        clients.get(storage_client).create_bucket(name)


@pytest.fixture
def tenant(clients: Clients, buckets: None) -> Context:
    """A tenant of its own."""
    return context_for(clients, f"import_{next(NUMBERS)}")


@pytest.fixture(scope="module")
def measured(clients: Clients, buckets: None) -> Context:
    """A tenant with tables, for the module."""
    context = context_for(clients, f"measured_{uuid.uuid4().hex[:8]}", seconds=600)
    provision_tenant(context, context.tenant_id)
    return context
