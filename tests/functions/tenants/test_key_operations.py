"""API keys over HTTP as admins of a tenant manage them, and the gate against guessing, on the local cloud."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests

from common.api_keys import generate_key, key_digest
from common.clients.firestore import firestore_client
from tests.hosts import another_host
from tests.stack import Caller, Stack, TenantHandle


def caller(cloud: Stack, key: str) -> Caller:
    return Caller(url=cloud.url, headers={"X-API-Key": key})


def test_an_admin_makes_reads_renames_rotates_and_revokes_a_key(cloud: Stack, tenant: TenantHandle) -> None:
    later = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    made = tenant.client.post("/v1/api-keys", {"name": "robot", "role": "viewer", "expires_at": later})
    assert made.status_code == 201, made.text
    place = made.headers["Location"]
    assert place == f"/v1/api-keys/{made.json()['key_id']}"
    old = caller(cloud, made.json()["key"])
    assert old.get("/v1/aso/content").status_code == 200
    renamed = tenant.client.patch(place, {"name": "Nightly export"})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "Nightly export"), renamed.text
    rotated = tenant.client.post(f"{place}/rotate", {"overlap_hours": 1})
    assert rotated.status_code == 201, rotated.text
    assert rotated.json()["replaces"] == made.json()["key_id"]
    new = caller(cloud, rotated.json()["key"])
    assert {one.get("/v1/aso/content").status_code for one in (old, new)} == {200}
    assert tenant.client.delete(place).status_code == 204
    assert old.get("/v1/aso/content").json()["code"] == "credential_revoked"
    shown = tenant.client.get(place)
    assert (shown.json()["status"], shown.json()["replaced_by"]) == ("revoked", rotated.json()["key_id"])
    assert made.json()["key"] not in shown.text
    revoked = tenant.client.get("/v1/api-keys?status=revoked").json()["items"]
    assert [item["key_id"] for item in revoked] == [made.json()["key_id"]]


def test_what_changes_of_keys_carry_on_is_neither_the_key_nor_its_hash(cloud: Stack, tenant: TenantHandle) -> None:
    made = tenant.client.post("/v1/api-keys", {"name": "robot", "role": "viewer"}).json()
    trail = cloud.clients.get(firestore_client).collection("api_keys").document(made["key_id"]).get().to_dict()
    assert trail is not None
    assert made["key"] not in repr(trail)
    assert key_digest(made["key"]) not in repr(trail)


def test_only_admins_make_keys_and_none_beyond_their_own(cloud: Stack, tenant: TenantHandle) -> None:
    manager = cloud.key(tenant.tenant_id, ["tenants:write"], role="manager").client
    assert manager.get("/v1/api-keys").status_code == 200
    assert manager.post("/v1/api-keys", {"name": "x"}).json()["code"] == "role_missing"
    viewer = cloud.key(tenant.tenant_id, ["*:read"], role="viewer").client
    assert viewer.get("/v1/api-keys").json()["code"] == "role_missing"
    narrow = cloud.key(tenant.tenant_id, ["tenants:write"], role="admin").client
    refused = narrow.post("/v1/api-keys", {"name": "x", "role": "user", "scopes": ["tenants:read", "aso:read"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "grant_exceeds_creator")
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/scopes/1"]


def test_scopes_are_listed_with_what_the_caller_may_give(cloud: Stack, tenant: TenantHandle) -> None:
    narrow = cloud.key(tenant.tenant_id, ["tenants:write", "aso:read"], role="admin").client
    items = {item["scope"]: item for item in narrow.get("/v1/scopes").json()["items"]}
    assert items["aso:read"]["grantable"]
    assert not items["aso:write"]["grantable"]
    assert all(item["description"] for item in items.values())


def test_the_use_of_a_key_is_shown_after_the_schedule(cloud: Stack, tenant: TenantHandle) -> None:
    made = tenant.client.post("/v1/api-keys", {"name": "robot", "role": "viewer"}).json()
    assert made["last_used_at"] is None
    caller(cloud, made["key"]).get("/v1/aso/content")
    cloud.fire("tenants-api-key-upkeep")
    place = f"/v1/api-keys/{made['key_id']}"
    used = cloud.wait_for(lambda: tenant.client.get(place).json()["last_used_at"], what="the use is written down")
    assert abs(datetime.fromisoformat(used) - datetime.now(UTC)) < timedelta(minutes=5)
    listed = tenant.client.get("/v1/api-keys").json()["items"]
    assert {item["key_id"]: item["last_used_at"] for item in listed}[made["key_id"]] == used


@pytest.fixture(scope="module")
def guarded(cloud: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The functions with the gate as deployed, of five failures a minute."""
    changes = {"XYNERGY_RATE_LIMITS": "failures=5"}
    with another_host(cloud, tmp_path_factory.mktemp("guarded"), changes) as url:
        yield url


def test_guessing_is_told_to_wait_and_customers_are_not(cloud: Stack, guarded: str, tenant: TenantHandle) -> None:
    address = f"2001:db8:{uuid.uuid4().hex[:4]}:{uuid.uuid4().hex[:4]}::1, 35.191.0.1"

    def call(key: str, forwarded: str = address) -> requests.Response:
        headers = {"X-API-Key": key, "X-Forwarded-For": forwarded}
        return requests.get(f"{guarded}/v1/aso/content", headers=headers, timeout=60)

    assert call(tenant.key).status_code == 200
    answers = [call(generate_key(), f"spoofed-{turn}, {address}") for turn in range(7)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
    assert answers[-1].json()["code"] == "too_many_failures"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert call(tenant.key).status_code == 200, "a valid key from the same address"
    assert call(generate_key(), "198.51.100.77, 35.191.0.1").status_code == 401, "another address"
