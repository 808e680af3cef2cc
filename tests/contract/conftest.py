"""One tenant for all tests of the contract, and who calls what."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.operations import Operation
from tests.people import member, stranger
from tests.stack import Caller, Stack, TenantHandle

ENDING = frozenset({"tenants-me-leave", "tenants-me-sign-out"})
"""Operations after which a person's token is no longer taken; keys call them here and are told they are nobody."""


@pytest.fixture(scope="package")
def owner(cloud: Stack) -> TenantHandle:
    """The tenant that is called as."""
    return cloud.tenant()


@pytest.fixture(scope="package")
def caller_for(cloud: Stack, owner: TenantHandle) -> Callable[[Operation], Caller]:
    """Return who may call an operation: an operator, a person of the tenant or of none, or the tenant's key."""
    person, somebody = member(cloud, owner.tenant_id).client, stranger(cloud).client

    def caller(operation: Operation) -> Caller:
        if operation.is_platform:
            return cloud.operator
        if operation.is_personal:
            return somebody
        own = str(operation.entry["scope"]).startswith("me:") and operation.name not in ENDING
        return person if own else owner.client

    return caller
