"""Two tenants with data, one of which attacks the other."""

from __future__ import annotations

import pytest

from tests.security.world import Holdings, new_mark, settle
from tests.stack import Stack


@pytest.fixture(scope="package")
def victim(cloud: Stack) -> Holdings:
    """A tenant with one of everything."""
    return settle(cloud, cloud.tenant(), new_mark())


@pytest.fixture(scope="package")
def attacker(cloud: Stack) -> Holdings:
    """Another one, with its own of everything."""
    return settle(cloud, cloud.tenant(), new_mark())
