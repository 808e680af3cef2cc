"""A tenant of its own for every test."""

from __future__ import annotations

import uuid

import pytest

from common.clients.registry import Clients
from common.context import Context
from tests.common.security import context_of


@pytest.fixture
def context(clients: Clients) -> Context:
    """The circumstances of a request of a tenant nobody else has."""
    return context_of(clients, f"tenant_{uuid.uuid4().hex[:12]}")
