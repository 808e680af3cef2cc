"""The audit trail over HTTP: every change recorded with who made it, searched, exported, and set back."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
import requests

from common.clients.firestore import firestore_client
from common.context import PLATFORM_TENANT, Context
from common.platform.audit import seal
from tests.common.things import context_of
from tests.stack import Stack, TenantHandle, wait_for


@pytest.fixture(scope="module", name="owner")
def _owner(cloud: Stack) -> TenantHandle:
    return cloud.tenant()


def found(tenant: TenantHandle, number: int = 1, **query: Any) -> list[dict[str, Any]]:
    """Wait until a search finds so many entries, and return them."""

    def looked() -> list[dict[str, Any]]:
        answer = tenant.client.get("/v1/audit", params=query)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        assert len(items) >= number, items
        return items

    return wait_for(looked, what=f"{number} entries of {query}")


def whole(tenant: TenantHandle, entry: Mapping[str, Any]) -> dict[str, Any]:
    answer = tenant.client.get(f"/v1/audit/entries/{entry['entry_id']}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def shown(change: Mapping[str, Any]) -> tuple[Any, Any]:
    return tuple(change[side] and change[side]["value"] for side in ("old", "new"))


def piece(tenant: TenantHandle, **fields: Any) -> dict[str, Any]:
    body = {"content_type": "hub", "keyword_primary": "scan qr", "title": "First", **fields}
    made = tenant.client.post("/v1/aso/content", body)
    assert made.status_code == 201, made.text
    answer: dict[str, Any] = made.json()
    return answer


def update(tenant: TenantHandle, content_id: str, **fields: Any) -> requests.Response:
    path = f"/v1/aso/content/{content_id}"
    etag = tenant.client.get(path).headers["ETag"]
    return tenant.client.patch(path, fields, headers={"If-Match": etag, "X-Request-ID": f"r-{uuid.uuid4()}"})


def test_a_document_has_a_history_of_who_changed_what(cloud: Stack, owner: TenantHandle) -> None:
    made = piece(owner)
    content_id = made["content_id"]
    other = cloud.key(owner.tenant_id)
    changed = update(other, content_id, title="Second", word_count=900)
    assert changed.status_code == 200, changed.text
    path = f"/v1/audit/content_piece/{content_id}"

    def history() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = owner.client.get(path).json().get("items", [])
        assert [item["operation"] for item in items] == ["updated", "created"]
        return items

    last, first = wait_for(history)
    changes = {change["field"]: shown(change) for change in last["changes"]}
    assert changes["title"] == ("First", "Second")
    assert changes["word_count"] == (None, 900)
    assert set(last["fields"]) == {"title", "word_count", "updated_at"}
    assert last["request_id"] == changed.headers["X-Request-ID"]
    assert last["function"] == "aso-content-update"
    assert (last["actor_kind"], first["actor_kind"]) == ("key", "key")
    assert last["actor_id"] != first["actor_id"], "each by the key that was used"
    assert {change["field"]: shown(change) for change in first["changes"]}["title"] == (None, "First")
    page = owner.client.get(path, params={"limit": 1}).json()
    rest = owner.client.get(path, params={"limit": 1, "cursor": page["next_cursor"]}).json()
    assert [each["entry_id"] for each in (*page["items"], *rest["items"])] == [last["entry_id"], first["entry_id"]]


def test_a_deletion_names_who_deleted(cloud: Stack, owner: TenantHandle) -> None:
    keyword_id = _keyword(owner, "goes away")
    gone = owner.client.delete(f"/v1/aso/keywords/{keyword_id}")
    assert gone.status_code in {200, 202, 204}, gone.text
    [entry] = found(owner, entity="keyword", document_id=keyword_id, operation="deleted")
    assert entry["actor_kind"] == "key"
    assert entry["actor_id"]
    told = whole(owner, entry)
    assert {change["field"]: shown(change) for change in told["changes"]}["keyword"] == ("goes away", None)


def _keyword(tenant: TenantHandle, keyword: str) -> str:
    made = tenant.client.post("/v1/aso/keywords", {"rows": [{"keyword": keyword}]})
    assert made.status_code in {200, 201, 207}, made.text
    found_id: str = made.json()["rows"][0]["value"]["keyword_id"]
    return found_id


def test_searches_narrow_by_every_filter(owner: TenantHandle) -> None:
    content_id = piece(owner, title="Narrow")["content_id"]
    update(owner, content_id, title="Narrower")
    entry = found(owner, document_id=content_id, operation="updated")[0]
    asked = {
        "entity": "content_piece",
        "document_id": content_id,
        "actor_id": entry["actor_id"],
        "operation": "updated",
        "field": "title",
        "from": entry["at"],
    }
    assert [each["entry_id"] for each in found(owner, **asked)] == [entry["entry_id"]]
    for changed in ({"field": "hub_id"}, {"to": entry["at"]}, {"entity": "keyword"}, {"code": "x"}):
        answer = owner.client.get("/v1/audit", params={**asked, **changed})
        assert answer.json()["items"] == [], changed
    newest = owner.client.get("/v1/audit", params={"limit": 200}).json()["items"]
    assert [each["at"] for each in newest] == sorted((each["at"] for each in newest), reverse=True)


def test_a_change_is_set_back_unless_somebody_changed_it_again(owner: TenantHandle) -> None:
    content_id = piece(owner, title="Original")["content_id"]
    update(owner, content_id, title="Mistake", meta_description="kept")
    update(owner, content_id, meta_description="changed later")
    entries = found(owner, 2, document_id=content_id, operation="updated")
    mistake = next(each for each in entries if "title" in each["fields"])
    refused = owner.client.post(f"/v1/audit/entries/{mistake['entry_id']}/revert")
    assert (refused.status_code, refused.json()["code"]) == (409, "changed_since"), refused.text
    assert refused.json()["fields"] == ["meta_description"]
    later = next(each for each in entries if "title" not in each["fields"])
    assert owner.client.post(f"/v1/audit/entries/{later['entry_id']}/revert").status_code == 200
    answer = owner.client.post(f"/v1/audit/entries/{mistake['entry_id']}/revert")
    assert answer.status_code == 200, answer.text
    assert answer.json()["fields"] == ["meta_description", "title"]
    now = owner.client.get(f"/v1/aso/content/{content_id}").json()
    assert (now["title"], now["meta_description"]) == ("Original", None)
    assert now["updated_at"] > now["created_at"]
    told = wait_for(lambda: [e for e in found(owner, 4, document_id=content_id) if e["reverts"] == mistake["entry_id"]])
    assert told[0]["function"] == "platform-audit-revert"


def test_what_has_rules_of_its_own_is_not_set_back(owner: TenantHandle) -> None:
    made = piece(owner, title="Published", url=f"https://example.com/{uuid.uuid4().hex}")
    path = f"/v1/aso/content/{made['content_id']}"
    etag = owner.client.get(path).headers["ETag"]
    published = owner.client.post(f"{path}/publish", {}, headers={"If-Match": etag})
    assert published.status_code == 200, published.text
    entry = found(owner, document_id=made["content_id"], operation="updated", field="status")[0]
    for each in (entry, found(owner, document_id=made["content_id"], operation="created")[0]):
        refused = owner.client.post(f"/v1/audit/entries/{each['entry_id']}/revert")
        assert (refused.status_code, refused.json()["code"]) == (409, "not_revertible")
        assert refused.json()["reason"] == "declared"


def test_setting_back_holds_the_rules_of_uniqueness(owner: TenantHandle) -> None:
    address = f"https://example.com/{uuid.uuid4().hex}"
    first = piece(owner, title="Had it", url=address)["content_id"]
    moved = update(owner, first, url=f"{address}-moved")
    assert moved.status_code == 200, moved.text
    piece(owner, title="Has it", url=address)
    entry = found(owner, document_id=first, operation="updated", field="url")[0]
    refused = owner.client.post(f"/v1/audit/entries/{entry['entry_id']}/revert")
    assert (refused.status_code, refused.json()["code"]) == (409, "url_taken"), refused.text


def test_the_trail_of_another_tenant_does_not_exist(cloud: Stack, owner: TenantHandle) -> None:
    content_id = piece(owner, title="Ours")["content_id"]
    entry = found(owner, document_id=content_id)[0]
    stranger = cloud.tenant().client
    for answer, code in (
        (stranger.get(f"/v1/audit/entries/{entry['entry_id']}"), "audit_entry_not_found"),
        (stranger.post(f"/v1/audit/entries/{entry['entry_id']}/revert"), "audit_entry_not_found"),
        (stranger.get(f"/v1/audit/content_piece/{content_id}"), "audit_history_not_found"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, code)
    assert stranger.get("/v1/audit", params={"document_id": content_id}).json()["items"] == []
    viewer = cloud.key(owner.tenant_id, scopes=["audit:read"], role="viewer").client
    assert (viewer.get("/v1/audit").status_code, viewer.get("/v1/audit").json()["code"]) == (403, "role_missing")


def test_reading_the_trail_is_told_in_the_trail_once(owner: TenantHandle) -> None:
    asked = {"entity": "content_piece", "field": f"f{uuid.uuid4().hex[:6]}"}
    for _ in range(3):
        assert owner.client.get("/v1/audit", params=asked).status_code == 200

    def told_of() -> list[dict[str, Any]]:
        changes = {
            entry["entry_id"]: {change["field"]: shown(change)[1] for change in whole(owner, entry)["changes"]}
            for entry in found(owner, code="audit_read")
        }
        return [e for e in found(owner, code="audit_read") if changes.get(e["entry_id"], {}).get("details") == asked]

    told = wait_for(told_of)
    assert len(told) == 1
    assert (told[0]["operation"], told[0]["entity"], told[0]["actor_kind"]) == ("done", "security_event", "key")


def test_changes_past_the_functions_are_recorded_as_nobodys(cloud: Stack, owner: TenantHandle) -> None:
    content_id = piece(owner, title="By a function")["content_id"]
    cloud.clients.get(firestore_client).document(f"content_pieces/{content_id}").update({"title": "By a client"})
    [entry] = found(owner, document_id=content_id, operation="updated")
    assert (entry["actor_kind"], entry["actor_id"], entry["request_id"]) == ("unknown", None, None)


def test_events_that_come_late_twice_and_in_reverse_make_the_same_history(cloud: Stack, owner: TenantHandle) -> None:
    dispatcher, consumer = cloud.local.dispatcher, "platform-audit-aso"
    cloud.settled()
    dispatcher.pause(consumer)
    dispatcher.duplicate(consumer, 2)
    try:
        content_id = piece(owner, title="0")["content_id"]
        for number in range(1, 4):
            assert update(owner, content_id, title=str(number)).status_code == 200
        wait_for(lambda: dispatcher.pending() >= 8)
    finally:
        dispatcher.duplicate(consumer, 1)
        dispatcher.resume(consumer, order="reversed")
    cloud.settled()
    items = owner.client.get(f"/v1/audit/content_piece/{content_id}").json()["items"]
    titles = [shown(change) for item in items for change in item["changes"] if change["field"] == "title"]
    assert titles == [("2", "3"), ("1", "2"), ("0", "1"), (None, "0")]


def test_what_operators_do_to_a_tenant_stands_in_its_trail(cloud: Stack) -> None:
    tenant = cloud.tenant()
    suspended = cloud.post(f"/v1/tenants/{tenant.tenant_id}/suspend", {"reason": "unpaid"})
    assert suspended.status_code == 200, suspended.text
    assert cloud.post(f"/v1/tenants/{tenant.tenant_id}/resume").status_code == 200

    def by_operators() -> list[dict[str, Any]]:
        query = {"entity": "tenant", "operation": "updated", "field": "status"}
        answer = tenant.client.get("/v1/audit", params=query)
        assert answer.status_code == 200, answer.text
        return [entry for entry in answer.json()["items"] if entry["actor_kind"] == "operator"]

    # A process may know the tenant as suspended for another minute.
    wait_for(lambda: len(by_operators()) == 2, deadline=90, what="both are told")


def test_the_trail_is_exported_without_formulas(cloud: Stack, owner: TenantHandle) -> None:
    content_id = piece(owner, title="=cmd|' /C calc'!A0")["content_id"]
    found(owner, document_id=content_id)
    started = owner.client.post("/v1/audit/exports", {"filters": {"document_id": content_id}, "bom": False})
    assert started.status_code == 202, started.text
    job_id = started.json()["job_id"]

    def ready() -> dict[str, Any]:
        answer = owner.client.get(f"/v1/audit/exports/{job_id}/link")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    link = wait_for(ready, deadline=60)
    text = requests.get(link["url"], timeout=30).content.decode()
    rows = {row["field"]: row for row in csv.DictReader(io.StringIO(text))}
    assert rows["title"]["new"] == "'=cmd|' /C calc'!A0"
    assert rows["title"]["document_id"] == content_id
    assert rows["content_type"]["new"] == "hub"
    assert cloud.local.dispatcher.status()["platform-audit-export-run"]["delivered"]
    assert found(owner, code="audit_exported")
    other = cloud.tenant().client.get(f"/v1/audit/exports/{job_id}/link")
    assert (other.status_code, other.json()["code"]) == (404, "export_not_found")


def test_the_chain_is_sealed_and_verified_by_the_schedules(cloud: Stack, owner: TenantHandle) -> None:
    piece(owner, title="Sealed")
    found(owner, entity="content_piece")
    platform = context_of(cloud.clients, owner.tenant_id, function="test")
    cloud.fire("platform-audit-seal")
    own = Context(function="test", tenant_id=PLATFORM_TENANT, principal=platform.principal, clients=cloud.clients)
    wait_for(lambda: owner.tenant_id not in set(seal.due(own)), deadline=120, what="everything is sealed")
    cloud.fire("platform-audit-verify")

    def verified() -> dict[str, Any]:
        answer = owner.client.get("/v1/audit/verification")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        assert body["status"] != "not_verified"
        return body

    result = wait_for(verified, deadline=120, what="the verification, after those of all tenants of other tests,")
    assert (result["status"], result["findings"]) == ("intact", [])
    assert result["entries"] > 0
    assert len(result["head"]) == 64
    delivered = cloud.local.dispatcher.status()
    assert all(delivered[name]["delivered"] for name in ("platform-audit-seal-tenant", "platform-audit-verify-tenant"))


def test_the_platform_has_a_trail_of_its_own(cloud: Stack, owner: TenantHandle) -> None:
    """Reading it is the first thing that stands in it."""
    asked = {"field": f"f{uuid.uuid4().hex[:6]}"}
    assert cloud.get("/v1/platform/audit", params=asked).json()["items"] == []

    def told() -> list[dict[str, Any]]:
        items = cloud.get("/v1/platform/audit", params={"code": "audit_read"}).json()["items"]
        return [item for item in items if asked in [shown(change)[1] for change in item["changes"]]]

    [entry] = wait_for(told)
    assert entry["actor_kind"] == "operator"
    assert owner.client.get("/v1/platform/audit").json()["code"] == "operator_only"
    assert (
        owner.client.get("/v1/audit", params={"actor_id": entry["actor_id"], "code": "audit_read"}).json()["items"]
        == []
    )


def test_a_direct_deletion_of_an_entry_is_not_offered_to_anybody(owner: TenantHandle) -> None:
    entry = found(owner)[0]
    assert owner.client.delete(f"/v1/audit/entries/{entry['entry_id']}").status_code == 405
