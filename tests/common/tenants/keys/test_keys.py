"""API keys of a tenant: shown once, stored as a hash, revoked for good."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from common.api_keys import KEY, Credentials, credentials_cache, generate_key, key_digest, key_path
from common.auth import authenticate
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context, Principal
from common.errors import Conflict, Forbidden, NotFound, Unauthenticated, Unprocessable
from common.idempotency import StoredAnswer, open_claim
from common.identifiers import uuid7
from common.tenants import tenants
from common.tenants.keys import keys, upkeep
from common.tenants.keys.models import ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyListQuery, ApiKeyRotate, ApiKeyUpdate
from common.tenants.models import TenantCreate
from tests.common.security import Clock, context_of, operator_context


@pytest.fixture
def context(clients: Clients) -> Context:
    return operator_context(clients)


@pytest.fixture
def tenant_id(context: Context) -> str:
    name = f"t_{uuid.uuid4().hex[:12]}"
    tenants.create(context, TenantCreate(tenant_id=name, name="x"))
    return name


def make(context: Context, tenant_id: str, **changes: Any) -> ApiKeyCreated:
    return keys.create(keys.of_tenant(context, tenant_id), ApiKeyCreate(**{"name": "robot", **changes})).content


def listed(context: Context, tenant_id: str, **query: Any) -> list[ApiKey]:
    return keys.listed(keys.of_tenant(context, tenant_id), ApiKeyListQuery(**query)).items


def revoke(context: Context, tenant_id: str, key_id: str) -> None:
    keys.revoke(keys.of_tenant(context, tenant_id), key_id)


def test_a_new_key_lets_its_tenant_in(context: Context, tenant_id: str) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    made = make(context, tenant_id, role="manager", scopes=["aso:write", "aso:write", "*:read"], expires_at=later)
    assert KEY.fullmatch(made.key)
    assert made.prefix == made.key[:8]
    assert made.created_by == context.principal.id
    principal = authenticate(context.clients, {"X-API-Key": made.key})
    assert (principal.id, principal.tenant_id, principal.role) == (made.key_id, tenant_id, "manager")
    assert principal.scopes == {"aso:write", "*:read"}


def test_a_key_may_by_default_what_its_role_may(context: Context, tenant_id: str) -> None:
    assert make(context, tenant_id).scopes == ["aso:read", "aso:write", "jobs:write"]
    assert make(context, tenant_id, role="viewer").scopes == ["*:read"]
    assert make(context, tenant_id, role="admin").scopes == ["*"]


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"role": "viewer", "scopes": ["aso:read", "aso:write"]}, "scope_exceeds_role", "/scopes/1"),
        ({"role": "user", "scopes": ["*"]}, "scope_exceeds_role", "/scopes/0"),
        ({"role": "manager", "scopes": ["*"]}, "scope_exceeds_role", "/scopes/0"),
        ({"expires_at": datetime.now(UTC)}, "expiry_past", "/expires_at"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    context: Context, tenant_id: str, changes: dict[str, Any], code: str, pointer: str
) -> None:
    with pytest.raises(Unprocessable) as refusal:
        make(context, tenant_id, **changes)
    assert [(error.code, error.pointer) for error in refusal.value.errors] == [(code, pointer)]


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": []},
        {"scopes": ["aso"]},
        {"scopes": ["aso:delete"]},
        {"scopes": ["ASO:read"]},
        {"role": "operator"},
        {"role": "service"},
        {"name": ""},
        {"expires_at": "2030-01-01T00:00:00"},
    ],
)
def test_a_malformed_request_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ApiKeyCreate(**{"name": "robot", **changes})


def test_without_the_tenant_there_is_no_key(context: Context) -> None:
    for attempt in (
        lambda: make(context, "nobody"),
        lambda: listed(context, "nobody"),
        lambda: revoke(context, "nobody", "x"),
    ):
        with pytest.raises(NotFound) as refusal:
            attempt()
        assert refusal.value.code == "tenant_not_found"


def stored_text(clients: Clients, collections: Iterable[str]) -> str:
    """Return everything stored in some collections, as text."""
    client = clients.get(firestore_client)
    return repr([snapshot.to_dict() for name in collections for snapshot in client.collection(name).stream()])


def test_lists_show_neither_key_nor_hash(context: Context, tenant_id: str) -> None:
    first, second = make(context, tenant_id, name="one"), make(context, tenant_id, name="two")
    shown = listed(context, tenant_id)
    assert [key.key_id for key in shown] == [second.key_id, first.key_id]
    text = json.dumps([key.model_dump(mode="json") for key in shown])
    for secret in (first.key, second.key, key_digest(first.key), first.key[8:]):
        assert secret not in text


def test_a_key_is_revoked_at_once_here_and_for_good(context: Context, tenant_id: str) -> None:
    made = make(context, tenant_id)
    authenticate(context.clients, {"X-API-Key": made.key})
    revoke(context, tenant_id, made.key_id)
    with pytest.raises(Unauthenticated) as refusal:
        authenticate(context.clients, {"X-API-Key": made.key})
    assert refusal.value.code == "credential_revoked"
    [before] = listed(context, tenant_id)
    assert before.revoked_at is not None
    revoke(context, tenant_id, made.key_id)
    assert listed(context, tenant_id) == [before], "revoking again changes nothing"


def test_another_process_refuses_a_revoked_key_within_a_minute(context: Context, tenant_id: str) -> None:
    clock, other = Clock(), Clients(context.clients.settings)
    other.replace(credentials_cache, Credentials(other.settings, clock))
    made = make(context, tenant_id)
    authenticate(other, {"X-API-Key": made.key})
    revoke(context, tenant_id, made.key_id)
    clock.now += 60
    with pytest.raises(Unauthenticated):
        authenticate(other, {"X-API-Key": made.key})


def test_another_tenants_key_cannot_be_revoked(context: Context, tenant_id: str) -> None:
    other = f"{tenant_id}x"
    tenants.create(context, TenantCreate(tenant_id=other, name="x"))
    made = make(context, other)
    with pytest.raises(NotFound) as refusal:
        revoke(context, tenant_id, made.key_id)
    assert refusal.value.code == "api_key_not_found"
    authenticate(context.clients, {"X-API-Key": made.key})


def test_a_repetition_makes_no_second_key_and_nothing_stores_the_first(context: Context, tenant_id: str) -> None:
    def render(result: Any) -> StoredAnswer:
        body = result.content.model_dump_json().encode()
        return StoredAnswer(status=result.status, body=body, headers=dict(result.headers), secret=result.secret)

    def attempt() -> ApiKeyCreated:
        claim = open_claim(context, "once", "same request", render)
        assert claim.replay() is None
        answer = keys.create(
            dataclasses.replace(keys.of_tenant(context, tenant_id), claim=claim),
            ApiKeyCreate(name="robot", role="viewer"),
        )
        claim.settle(render(answer))
        return answer.content

    made = attempt()
    with pytest.raises(Conflict) as refusal:
        attempt()
    assert refusal.value.code == "idempotency_answer_not_stored"
    assert refusal.value.headers["Location"].endswith(f"/api-keys/{made.key_id}")
    assert [key.key_id for key in listed(context, tenant_id)] == [made.key_id]
    everything = stored_text(
        context.clients, ("tenants", "api_keys", "system/idempotency/records", "system/credentials/api_keys")
    )
    assert made.key_id in everything
    assert made.key not in everything


def rotated(context: Context, tenant_id: str, key_id: str, **changes: Any) -> ApiKeyCreated:
    return keys.rotate(keys.of_tenant(context, tenant_id), key_id, ApiKeyRotate(**changes)).content


def test_a_rotated_key_may_what_the_old_one_may(context: Context, tenant_id: str) -> None:
    old = make(context, tenant_id, role="manager", scopes=["aso:write"])
    new = rotated(context, tenant_id, old.key_id)
    assert (new.name, new.role, new.scopes, new.expires_at) == (old.name, old.role, old.scopes, None)
    assert new.key != old.key
    shown = {key.key_id: key for key in listed(context, tenant_id)}
    ending = shown[old.key_id].expires_at
    assert ending is not None
    assert timedelta(hours=23) < ending - datetime.now(UTC) <= timedelta(hours=24)
    for made in (old, new):
        assert authenticate(context.clients, {"X-API-Key": made.key}).id == made.key_id


def test_a_rotation_without_overlap_ends_the_old_key_at_once(context: Context, tenant_id: str) -> None:
    old = make(context, tenant_id)
    authenticate(context.clients, {"X-API-Key": old.key})
    new = rotated(context, tenant_id, old.key_id, overlap_hours=0)
    with pytest.raises(Unauthenticated) as refusal:
        authenticate(context.clients, {"X-API-Key": old.key})
    assert refusal.value.code == "credential_expired"
    assert authenticate(context.clients, {"X-API-Key": new.key}).id == new.key_id


def test_a_rotation_never_prolongs_the_old_key(context: Context, tenant_id: str) -> None:
    soon = datetime.now(UTC) + timedelta(hours=2)
    old = make(context, tenant_id, expires_at=soon)
    new = rotated(context, tenant_id, old.key_id, overlap_hours=168)
    shown = {key.key_id: key for key in listed(context, tenant_id)}
    assert shown[old.key_id].expires_at == soon == new.expires_at


@pytest.mark.parametrize("state", ["revoked", "rotated", "missing"])
def test_a_key_that_is_over_is_not_rotated(context: Context, tenant_id: str, state: str) -> None:
    key = make(context, tenant_id)
    if state == "revoked":
        revoke(context, tenant_id, key.key_id)
    elif state == "rotated":
        rotated(context, tenant_id, key.key_id)
    before = listed(context, tenant_id)
    with pytest.raises((Conflict, NotFound)) as refusal:
        rotated(context, tenant_id, "nobody" if state == "missing" else key.key_id)
    codes = {"revoked": "api_key_not_active", "rotated": "api_key_rotated", "missing": "api_key_not_found"}
    assert refusal.value.code == codes[state]
    assert listed(context, tenant_id) == before


# ---------------------------------------------------------------------- a tenant's own management


@pytest.fixture
def own(context: Context, tenant_id: str) -> Context:
    """The tenant's own context, of an admin of it."""
    admin = Principal(kind="user", id="ada", tenant_id=tenant_id, role="admin", scopes=frozenset({"*"}))
    return context_of(context.clients, tenant_id, admin)


def test_an_admin_manages_the_keys_of_the_tenant(own: Context) -> None:
    answer = keys.create(own, ApiKeyCreate(name="robot", role="viewer"))
    assert answer.headers["Location"] == f"/v1/api-keys/{answer.content.key_id}"
    assert answer.secret
    made = answer.content
    assert (made.created_by, made.status, made.last_used_at) == ("ada", "active", None)
    renamed = keys.rename(own, made.key_id, ApiKeyUpdate(name="Nightly export"))
    assert keys.get(own, made.key_id) == renamed
    assert renamed.name == "Nightly export"
    new = keys.rotate(own, made.key_id, ApiKeyRotate(overlap_hours=0)).content
    assert (new.name, new.replaces) == ("Nightly export", made.key_id)
    assert keys.get(own, made.key_id).status == "expired"
    keys.revoke(own, new.key_id)
    assert keys.get(own, new.key_id).status == "revoked"


def test_a_key_outlives_its_maker(own: Context) -> None:
    """It is the tenant's; its maker, who has no document here, is not asked for when it is used."""
    made = keys.create(own, ApiKeyCreate(name="robot")).content
    assert authenticate(Clients(own.clients.settings), {"X-API-Key": made.key}).id == made.key_id


def test_a_lesser_key_cannot_be_turned_into_a_greater_one(context: Context, tenant_id: str, own: Context) -> None:
    great = keys.create(own, ApiKeyCreate(name="great", role="admin")).content
    lesser = Principal(
        kind="key", id="k", tenant_id=tenant_id, role="admin", scopes=frozenset({"tenants:write", "aso:read"})
    )
    caller = context_of(context.clients, tenant_id, lesser)
    assert keys.create(caller, ApiKeyCreate(name="x", role="user")).content.scopes == ["aso:read"]
    with pytest.raises(Forbidden) as creation:
        keys.create(caller, ApiKeyCreate(name="x", role="admin", scopes=["*"]))
    with pytest.raises(Forbidden) as rotation:
        keys.rotate(caller, great.key_id, ApiKeyRotate())
    for refusal in (creation.value, rotation.value):
        assert (refusal.code, refusal.audited) == ("grant_exceeds_creator", True)
    assert keys.get(own, great.key_id).replaced_by is None


def test_pages_are_filled_whatever_has_expired_meanwhile(context: Context, own: Context) -> None:
    client = context.clients.get(firestore_client)
    made = [keys.create(own, ApiKeyCreate(name=str(number))).content.key_id for number in range(5)]
    for key_id in made[1::2]:
        client.document(f"api_keys/{key_id}").update({"expires_at": datetime.now(UTC) - timedelta(seconds=1)})
    found: list[str] = []
    page = keys.listed(own, ApiKeyListQuery(status="active", limit=2))
    assert len(page.items) == 2
    while True:
        found += [key.key_id for key in page.items]
        if page.next_cursor is None:
            break
        page = keys.listed(own, ApiKeyListQuery(status="active", limit=2, cursor=page.next_cursor))
    assert found == made[4::-2]
    expired = keys.listed(own, ApiKeyListQuery(status="expired")).items
    assert [key.key_id for key in expired] == made[3::-2]


def test_a_tenant_has_as_many_active_keys_as_it_may(own: Context) -> None:
    made = [keys.create(own, ApiKeyCreate(name="x")).content for _ in range(5)]
    with pytest.raises(Forbidden) as refusal:
        keys.create(own, ApiKeyCreate(name="x"))
    assert (refusal.value.code, refusal.value.details["limit"]) == ("quota_exceeded", 5)
    keys.rotate(own, made[0].key_id, ApiKeyRotate(overlap_hours=0))  # changes no number
    keys.revoke(own, made[1].key_id)
    keys.create(own, ApiKeyCreate(name="x"))


# ---------------------------------------------------------------------- keys from before the entity


def from_before(clients: Clients, tenant_id: str, **changes: Any) -> tuple[str, str]:
    """Store a key as it was stored before there was an entity; return it and its id."""
    key, key_id = generate_key(), str(uuid7())
    record = {
        "key_id": key_id,
        "tenant_id": tenant_id,
        "name": "old robot",
        "scopes": ["aso:read"],
        "role": "viewer",
        "prefix": key[:8],
        "created_by": "operator-old",
        "created_at": datetime.now(UTC) - timedelta(days=300),
        "expires_at": None,
        "revoked_at": None,
        "replaced_by": None,
        **changes,
    }
    clients.get(firestore_client).document(key_path(key_digest(key))).set(record)
    return key, key_id


def test_keys_from_before_work_and_are_adopted(context: Context, tenant_id: str, own: Context) -> None:
    revoked_at = datetime.now(UTC) - timedelta(days=1)
    good, good_id = from_before(context.clients, tenant_id)
    _, gone_id = from_before(context.clients, tenant_id, revoked_at=revoked_at)
    assert authenticate(context.clients, {"X-API-Key": good}).id == good_id
    for _ in range(2):
        upkeep.adopt(operator_context(context.clients))
        shown = {key.key_id: key for key in listed(context, tenant_id)}
        assert [shown[name].status for name in (good_id, gone_id)] == ["active", "revoked"]
        assert (shown[good_id].name, shown[good_id].created_by) == ("old robot", "operator-old")
        assert shown[gone_id].revoked_at == revoked_at
    fresh = Clients(context.clients.settings)
    assert authenticate(fresh, {"X-API-Key": good}).scopes == {"aso:read"}
    record = context.clients.get(firestore_client).document(key_path(key_digest(good))).get().to_dict()
    assert record is not None
    assert "operator-old" not in record.values(), "who made it is in the entity only"
    assert keys.rename(own, good_id, ApiKeyUpdate(name="new")).name == "new"


@pytest.mark.parametrize("change", ["revoke", "rotate", "rename"])
def test_a_key_from_before_is_taken_over_by_its_first_change(
    context: Context, tenant_id: str, own: Context, change: str
) -> None:
    _, key_id = from_before(context.clients, tenant_id)
    if change == "revoke":
        revoke(context, tenant_id, key_id)
    elif change == "rotate":
        rotated(context, tenant_id, key_id)
    else:
        keys.rename(own, key_id, ApiKeyUpdate(name="new"))
    shown = keys.get(own, key_id)
    assert (shown.status == "revoked") == (change == "revoke")
    assert (shown.replaced_by is not None) == (change == "rotate")
    assert shown.name == ("new" if change == "rename" else "old robot")


def test_what_a_revision_from_before_changed_during_a_rollout_counts(context: Context, own: Context) -> None:
    """Its rotation writes an expiry and ``replaced_by`` into a record that has an entity by now."""
    made = keys.create(own, ApiKeyCreate(name="robot")).content
    soon = datetime.now(UTC) + timedelta(hours=1)
    record = context.clients.get(firestore_client).document(key_path(key_digest(made.key)))
    record.update({"expires_at": soon, "replaced_by": "another"})
    upkeep.adopt(operator_context(context.clients))
    shown = keys.get(own, made.key_id)
    assert (shown.expires_at, shown.replaced_by) == (soon, "another")


def test_a_revision_from_before_can_read_the_record_of_a_new_key(context: Context, own: Context) -> None:
    """What it asks of a record: a gradual rollout serves the same customers with both."""
    made = keys.create(own, ApiKeyCreate(name="robot")).content
    record = context.clients.get(firestore_client).document(key_path(key_digest(made.key))).get().to_dict()
    assert record is not None
    required = {"key_id", "tenant_id", "name", "scopes", "role", "prefix", "created_by", "created_at"}
    assert required <= record.keys()
    assert all(isinstance(record[name], str) for name in ("name", "created_by", "prefix"))
