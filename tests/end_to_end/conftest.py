"""Fixtures of the tests of whole chains."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psutil
import pytest

from common.clients.registry import Clients
from common.context import Context
from tests.end_to_end.support import behind
from tests.stack import Stack, TenantHandle
from triggers.runtime import process_clients


@pytest.fixture
def context(cloud: Stack, tenant: TenantHandle) -> Context:
    """Circumstances for looking at the stores of the test's tenant."""
    return behind(cloud, tenant.tenant_id)


@pytest.fixture
def process(cloud: Stack) -> Iterator[Clients]:
    """The clients of another process on the cloud's stores: this one, which serves functions and may die."""
    host = cloud.local.services["host"]
    os.environ.update(psutil.Process(host.pid).environ())
    process_clients.cache_clear()
    yield process_clients()
    process_clients.cache_clear()
