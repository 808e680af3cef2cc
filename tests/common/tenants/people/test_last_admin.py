"""A tenant keeps one administrator, whoever takes them away at the same moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from common.clients.registry import Clients
from common.errors import Conflict
from common.store import Repository
from common.tenants.people import users
from common.tenants.people.entities import USERS
from common.tenants.people.models import RoleChange
from tests.common.security import context_of, key_principal, store_person, store_tenant

TENANT = "race"


def test_of_administrators_demoted_all_at_once_one_stays(clients: Clients) -> None:
    """By an API key, which is nobody's own document: only the rule itself stands between the transactions."""
    store_tenant(clients, TENANT)
    admins = [store_person(clients, TENANT, f"admin-{number}", role="admin") for number in range(3)]
    gate = threading.Barrier(len(admins))

    def demoted(user_id: str) -> str:
        context = context_of(clients, TENANT, key_principal(TENANT, role="admin"))
        gate.wait()
        try:
            users.set_role(context, user_id, RoleChange(role="viewer"))
        except Conflict as refused:
            return refused.code
        return "demoted"

    with ThreadPoolExecutor(len(admins)) as pool:
        outcomes = sorted(pool.map(demoted, admins))
    assert outcomes == ["demoted", "demoted", "last_admin"]
    left = Repository(USERS, context_of(clients, TENANT)).select([("role", "==", "admin")])
    assert len(left) == 1
