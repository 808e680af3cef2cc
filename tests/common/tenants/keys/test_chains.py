"""Any sequence of making, rotating, revoking and expiring keys: who is accepted afterwards, in every process."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud import firestore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.api_keys import Credentials, credentials_cache, key_digest, key_path
from common.auth import authenticate
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context
from common.errors import Conflict, Unauthenticated, Unavailable
from common.tenants.keys import keys, upkeep
from common.tenants.keys.models import ApiKeyCreate, ApiKeyCreated, ApiKeyListQuery, ApiKeyRotate, KeyStatus
from tests.common.security import Clock, operator_context, store_tenant, without_firestore

STEPS = st.lists(
    st.tuples(st.sampled_from(["create", "rotate", "rotate at once", "revoke", "expire"]), st.integers(0, 5)),
    max_size=8,
)


@dataclass
class Expected:
    """A key as the rules of this test know it."""

    made: ApiKeyCreated
    status: KeyStatus = "active"
    rotated: bool = False


@dataclass
class Chain:
    """A tenant whose keys are changed, beside what is expected of them."""

    context: Context
    keys: list[Expected] = field(default_factory=list)

    def step(self, what: str, number: int) -> None:
        if what == "create" or not self.keys:
            self.keys.append(Expected(keys.create(self.context, ApiKeyCreate(name="robot")).content))
            return
        key = self.keys[number % len(self.keys)]
        if what == "revoke":
            keys.revoke(self.context, key.made.key_id)
            key.status = "revoked"
        elif what == "expire":
            self.expire(key)
        else:
            self.rotate(key, overlap=1 if what == "rotate" else 0)

    def expire(self, key: Expected) -> None:
        """Let time pass for one key: its expiry is moved instead of the clock."""
        past = {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}
        client: firestore.Client = self.context.clients.get(firestore_client)
        client.document(f"api_keys/{key.made.key_id}").update(past)
        client.document(key_path(key_digest(key.made.key))).update(past)
        key.status = "revoked" if key.status == "revoked" else "expired"

    def rotate(self, key: Expected, overlap: int) -> None:
        def change() -> ApiKeyCreated:
            return keys.rotate(self.context, key.made.key_id, ApiKeyRotate(overlap_hours=overlap)).content

        if key.rotated or key.status != "active":
            with pytest.raises(Conflict) as refusal:
                change()
            assert refusal.value.code == ("api_key_rotated" if key.rotated else "api_key_not_active")
            return
        new = change()
        key.rotated, key.status = True, "expired" if overlap == 0 else "active"
        self.keys.append(Expected(new))


@pytest.fixture(scope="module")
def operator(clients: Clients) -> Context:
    return operator_context(clients)


def new_tenant(operator: Context) -> Context:
    tenant_id = f"t_{uuid.uuid4().hex[:12]}"
    now = datetime.now(UTC)
    store_tenant(operator.clients, tenant_id)
    more = {"name": "x", "tier": "enterprise", "created_at": now, "updated_at": now}
    operator.clients.get(firestore_client).document(f"tenants/{tenant_id}").update(more)
    return operator.for_tenant(tenant_id)


def told(clients: Clients, key: str) -> str:
    try:
        authenticate(clients, {"X-API-Key": key})
    except Unauthenticated as refusal:
        return refusal.code.removeprefix("credential_")
    return "active"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whoever_should_be_accepted_is_and_nobody_else(operator: Context, steps: list[tuple[str, int]]) -> None:
    chain = Chain(new_tenant(operator))
    for what, number in steps:
        chain.step(what, number)
    fresh = Clients(operator.clients.settings)
    assert [told(fresh, key.made.key) for key in chain.keys] == [key.status for key in chain.keys]
    shown = {key.key_id: key for key in keys.listed(chain.context, ApiKeyListQuery()).items}
    assert {name: key.status for name, key in shown.items()} == {key.made.key_id: key.status for key in chain.keys}
    for key in chain.keys:
        if (replacement := shown[key.made.key_id].replaced_by) is not None:
            assert shown[replacement].replaces == key.made.key_id
    statuses: list[KeyStatus] = ["active", "expired", "revoked"]
    for status in statuses:
        found = keys.listed(chain.context, ApiKeyListQuery(status=status)).items
        assert {key.key_id for key in found} == {key.made.key_id for key in chain.keys if key.status == status}


def test_upkeep_notes_what_has_expired_and_changes_nothing_else(operator: Context) -> None:
    chain = Chain(new_tenant(operator))
    for step in (("create", 0), ("create", 0), ("create", 0), ("revoke", 1), ("expire", 1), ("expire", 2)):
        chain.step(*step)
    assert upkeep.expire(operator) >= 1
    assert upkeep.expire(operator) == 0
    client, fresh = operator.clients.get(firestore_client), Clients(operator.clients.settings)
    stored = [client.document(f"api_keys/{key.made.key_id}").get().get("status") for key in chain.keys]
    assert stored == ["active", "revoked", "expired"] == [told(fresh, key.made.key) for key in chain.keys]


@pytest.mark.parametrize("both", ["rotate", "revoke"])
def test_of_two_rotations_one_counts_and_a_revocation_always_does(operator: Context, both: str) -> None:
    chain = Chain(new_tenant(operator))
    chain.step("create", 0)
    key = chain.keys[0].made

    def act(what: str) -> str:
        context = operator_context(Clients(operator.clients.settings)).for_tenant(chain.context.tenant_id)
        try:
            if what == "revoke":
                keys.revoke(context, key.key_id)
                return "revoked"
            return keys.rotate(context, key.key_id, ApiKeyRotate()).content.key
        except Conflict as refusal:
            return refusal.code

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(act, ["rotate", both]))
    fresh = Clients(operator.clients.settings)
    made = [answer for answer in answers if answer.startswith("xyn_")]
    assert [told(fresh, new) for new in made] == ["active"] * len(made), "a replacement that was shown is good"
    if both == "rotate":
        assert len(made) == 1
        assert "api_key_rotated" in answers
    else:
        assert told(fresh, key.key) == "revoked"
        assert made or "api_key_not_active" in answers
    assert len(keys.listed(chain.context, ApiKeyListQuery()).items) == 1 + len(made)


def test_a_warm_process_refuses_a_revoked_key_within_five_minutes_even_while_firestore_is_down(
    operator: Context,
) -> None:
    """Two processes: one revokes; the other has just read the key, and loses Firestore at once."""
    chain = Chain(new_tenant(operator))
    chain.step("create", 0)
    key, clock = chain.keys[0].made, Clock()
    other = Clients(operator.clients.settings)
    other.replace(credentials_cache, Credentials(other.settings, clock))
    assert told(other, key.key) == "active"
    keys.revoke(chain.context, key.key_id)
    assert told(operator.clients, key.key) == "revoked"
    without_firestore(other)
    for _ in range(301):
        assert told(other, key.key) == "active", clock.now
        clock.now += 1
    for _ in range(10):  # five minutes from when it was read, to the second
        with pytest.raises(Unavailable):
            told(other, key.key)
        clock.now += 1
