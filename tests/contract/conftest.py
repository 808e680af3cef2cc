"""One tenant for all tests of the contract."""

from __future__ import annotations

import pytest

from tests.stack import Stack, TenantHandle


@pytest.fixture(scope="package")
def owner(cloud: Stack) -> TenantHandle:
    """The tenant that is called as."""
    return cloud.tenant()
