"""Tenant management over HTTP, on the local cloud."""

from __future__ import annotations

import uuid

import pytest

from common.clients.firestore import firestore_client
from tests.stack import Caller, Stack, TenantHandle


def test_a_tenant_becomes_active_by_itself(cloud: Stack) -> None:
    tenant_id = f"t{uuid.uuid4().hex[:12]}"
    made = cloud.post("/v1/tenants", {"tenant_id": tenant_id, "name": "Müller & Söhne", "tier": "pro"})
    assert made.status_code == 201, made.text
    assert made.json()["status"] == "provisioning"
    assert made.headers["Location"] == f"/v1/tenants/{tenant_id}"
    again = cloud.post("/v1/tenants", {"tenant_id": tenant_id, "name": "x"})
    assert (again.status_code, again.json()["code"]) == (409, "tenant_exists")
    cloud.wait_for(lambda: cloud.get(f"/v1/tenants/{tenant_id}").json()["status"] == "active")
    read = cloud.get(f"/v1/tenants/{tenant_id}")
    assert (read.json()["name"], read.json()["tier"]) == ("Müller & Söhne", "pro")
    assert read.headers["ETag"]


def test_a_key_is_made_used_listed_and_revoked(cloud: Stack, tenant: TenantHandle) -> None:
    keys = f"/v1/tenants/{tenant.tenant_id}/api-keys"
    made = cloud.post(keys, {"name": "robot", "role": "viewer"})
    assert made.status_code == 201
    key, key_id = made.json()["key"], made.json()["key_id"]
    robot = Caller(url=cloud.url, headers={"X-API-Key": key})
    assert robot.get("/v1/aso/content").status_code == 200
    refused = robot.post("/v1/aso/content", {})
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    listed = cloud.get(keys)
    assert key_id in {item["key_id"] for item in listed.json()["items"]}
    assert key not in listed.text
    for _ in range(2):
        assert cloud.operator.delete(f"{keys}/{key_id}").status_code == 204
    after = robot.get("/v1/aso/content")
    assert (after.status_code, after.json()["code"]) == (401, "credential_revoked")
    assert "WWW-Authenticate" in after.headers


def test_a_repeated_creation_never_shows_the_key_again(cloud: Stack, tenant: TenantHandle) -> None:
    keys = f"/v1/tenants/{tenant.tenant_id}/api-keys"
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    made = cloud.post(keys, {"name": "once"}, headers=headers)
    again = cloud.post(keys, {"name": "once"}, headers=headers)
    assert (made.status_code, again.status_code) == (201, 409)
    assert again.json()["code"] == "idempotency_answer_not_stored"
    assert again.headers["Location"] == made.headers["Location"]
    assert made.json()["key"] not in again.text
    names = [item["name"] for item in cloud.get(keys).json()["items"]]
    assert names.count("once") == 1
    records = cloud.clients.get(firestore_client).collection("system/idempotency/records").stream()
    assert not any(made.json()["key"] in repr(record.to_dict()) for record in records)


def test_a_key_is_rotated_without_a_gap(cloud: Stack, tenant: TenantHandle) -> None:
    keys = f"/v1/tenants/{tenant.tenant_id}/api-keys"
    old = cloud.post(keys, {"name": "robot", "role": "viewer"}).json()
    new = cloud.post(f"{keys}/{old['key_id']}/rotate", {"overlap_hours": 1})
    assert new.status_code == 201, new.text
    assert new.headers["Location"] == f"{keys}/{new.json()['key_id']}"
    for key in (old["key"], new.json()["key"]):
        caller = Caller(url=cloud.url, headers={"X-API-Key": key})
        assert caller.get("/v1/aso/content").status_code == 200
        assert caller.post("/v1/aso/content", {}).json()["code"] == "scope_missing", "no more than the old one"
    shown = {item["key_id"]: item for item in cloud.get(keys).json()["items"]}
    assert shown[old["key_id"]]["replaced_by"] == new.json()["key_id"]
    again = cloud.post(f"{keys}/{old['key_id']}/rotate", {})
    assert (again.status_code, again.json()["code"]) == (409, "api_key_rotated")


def test_a_tenant_is_changed_suspended_and_resumed(cloud: Stack, tenant: TenantHandle) -> None:
    path = f"/v1/tenants/{tenant.tenant_id}"
    read = cloud.get(path)
    changed = cloud.operator.patch(
        path, {"name": "Neue Firma", "tier": "enterprise"}, headers={"If-Match": read.headers["ETag"]}
    )
    assert (changed.status_code, changed.json()["name"], changed.json()["tier"]) == (200, "Neue Firma", "enterprise")
    stale = cloud.operator.patch(path, {"name": "x"}, headers={"If-Match": read.headers["ETag"]})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_etag")

    suspended = cloud.post(f"{path}/suspend", {"reason": "Unpaid."})
    assert (suspended.status_code, suspended.json()["status"]) == (200, "suspended"), suspended.text
    assert cloud.post(f"{path}/suspend", {"reason": "Again."}).json() == suspended.json()
    refused = tenant.client.get("/v1/aso/content")
    assert (refused.status_code, refused.json()["code"]) == (403, "tenant_suspended")
    assert "Unpaid" not in refused.text
    assert tenant.tenant_id in {item["tenant_id"] for item in cloud.get("/v1/tenants?status=suspended").json()["items"]}

    resumed = cloud.post(f"{path}/resume", {})
    assert (resumed.status_code, resumed.json()["status"], resumed.json()["suspended_at"]) == (200, "active", None)
    assert cloud.post(f"{path}/resume", {}).json() == resumed.json()
    assert tenant.client.get("/v1/aso/content").status_code == 200


def test_tenants_are_listed_newest_first_in_pages(cloud: Stack) -> None:
    made = [cloud.post("/v1/tenants", {"name": f"Listed {number}"}).json()["tenant_id"] for number in range(3)]
    found: list[str] = []
    path = "/v1/tenants?limit=2"
    while len(found) < 4:
        page = cloud.get(path).json()
        found += [item["tenant_id"] for item in page["items"]]
        path = f"/v1/tenants?limit=2&cursor={page['next_cursor']}"
    assert found[:3] == made[::-1]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/tenants"),
        ("GET", "/v1/tenants/{tenant_id}"),
        ("POST", "/v1/tenants/{tenant_id}/api-keys"),
        ("GET", "/v1/tenants/{tenant_id}/api-keys"),
        ("DELETE", "/v1/tenants/{tenant_id}/api-keys/x"),
        ("POST", "/v1/tenants/{tenant_id}/api-keys/x/rotate"),
        ("GET", "/v1/tenants"),
        ("PATCH", "/v1/tenants/{tenant_id}"),
        ("POST", "/v1/tenants/{tenant_id}/suspend"),
        ("POST", "/v1/tenants/{tenant_id}/resume"),
    ],
)
def test_tenants_may_not_manage_tenants(cloud: Stack, tenant: TenantHandle, method: str, path: str) -> None:
    path = path.replace("{tenant_id}", tenant.tenant_id)
    refused = tenant.client.request(method, path, json={"name": "x"} if method == "POST" else None)
    assert (refused.status_code, refused.json()["code"]) == (403, "operator_only")
    missing = cloud.anonymous.request(method, path, json={"name": "x"} if method == "POST" else None)
    assert (missing.status_code, missing.json()["code"]) == (401, "credential_missing")


def test_operators_have_no_tenant_to_work_in(cloud: Stack) -> None:
    refused = cloud.get("/v1/aso/content")
    assert (refused.status_code, refused.json()["code"]) == (403, "operator_has_no_tenant")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "x", "tenant_id": "Not-Valid"}, "/tenant_id"),
        ({"name": ""}, "/name"),
        ({}, "/name"),
        ({"name": "x", "tier": "gold"}, "/tier"),
        ({"name": "x", "colour": "red"}, "/colour"),
    ],
)
def test_a_bad_tenant_is_refused_at_the_field(cloud: Stack, body: dict[str, str], pointer: str) -> None:
    refused = cloud.post("/v1/tenants", body)
    assert refused.status_code == 422
    assert pointer in {error["pointer"] for error in refused.json()["errors"]}
