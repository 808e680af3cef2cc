"""The operations on content through HTTP."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.functions.aso.conftest import Api

HUB = {"content_type": "hub", "keyword_primary": "qr code", "title": "A hub"}


def made(api: Api, **fields: Any) -> TestResponse:
    answer = api("POST", "/v1/aso/content", {**HUB, **fields})
    assert answer.status_code == 201, answer.text
    return answer


def code(answer: TestResponse) -> tuple[int, str]:
    assert answer.content_type == "application/problem+json", answer.text
    return answer.status_code, answer.get_json()["code"]


def test_create_read_and_conditional_read(api: Api) -> None:
    created = made(api)
    content_id = created.get_json()["content_id"]
    read = api("GET", f"/v1/aso/content/{content_id}")
    assert read.status_code == 200
    assert read.get_json() == created.get_json()
    assert read.headers["ETag"] == created.headers["ETag"]
    known = api("GET", f"/v1/aso/content/{content_id}", headers={"If-None-Match": read.headers["ETag"]})
    assert (known.status_code, known.data) == (304, b"")


def test_an_idempotency_key_makes_one_piece(api: Api) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    body = {**HUB, "url": "https://example.com/once"}
    first = api("POST", "/v1/aso/content", body, key)
    again = api("POST", "/v1/aso/content", body, key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_json() == again.get_json()
    assert first.headers["ETag"] == again.headers["ETag"]
    assert code(api("POST", "/v1/aso/content", {**body, "title": "Other"}, key)) == (422, "idempotency_key_reused")
    assert len(api("GET", "/v1/aso/content").get_json()["items"]) == 1


def test_refusals_name_the_field(api: Api) -> None:
    refused = api("POST", "/v1/aso/content", {**HUB, "content_type": "spoke"})
    assert code(refused) == (422, "hub_required")
    assert refused.get_json()["errors"][0]["pointer"] == "/hub_id"
    unknown = api("POST", "/v1/aso/content", {**HUB, "colour": "red"})
    assert code(unknown) == (422, "validation_failed")
    assert unknown.get_json()["errors"][0] == {
        "pointer": "/colour",
        "code": "unknown_field",
        "message": "Extra inputs are not permitted",
    }


def test_updates_need_the_current_version(api: Api) -> None:
    created = made(api)
    route = f"/v1/aso/content/{created.get_json()['content_id']}"
    assert api("PATCH", route, {"title": "Two"}).status_code == 428
    changed = api("PATCH", route, {"title": "Two"}, {"If-Match": created.headers["ETag"]})
    assert (changed.status_code, changed.get_json()["title"]) == (200, "Two")
    assert changed.headers["ETag"] != created.headers["ETag"]
    stale = api("PATCH", route, {"title": "Three"}, {"If-Match": created.headers["ETag"]})
    assert code(stale) == (412, "stale_etag")
    for field in ("title", "keyword_primary", "keyword_secondary"):
        nothing = api("PATCH", route, {field: None}, {"If-Match": changed.headers["ETag"]})
        assert code(nothing) == (422, "validation_failed")
    same = api("PATCH", route, {}, {"If-Match": changed.headers["ETag"]})
    assert same.headers["ETag"] == changed.headers["ETag"]


def test_publish_and_archive_with_and_without_a_body(api: Api) -> None:
    with_address = made(api, url="https://example.com/a").get_json()["content_id"]
    without = made(api).get_json()["content_id"]
    assert api("POST", f"/v1/aso/content/{with_address}/publish").get_json()["status"] == "published"
    assert code(api("POST", f"/v1/aso/content/{without}/publish")) == (422, "url_required")
    told = api("POST", f"/v1/aso/content/{without}/publish", {"url": "https://example.com/b"})
    assert (told.status_code, told.get_json()["url"]) == (200, "https://example.com/b")
    again = api("POST", f"/v1/aso/content/{without}/publish")
    assert code(again) == (409, "invalid_transition")
    assert again.get_json()["allowed"] == ["archived"]
    assert api("POST", f"/v1/aso/content/{with_address}/archive").get_json()["archived_reason"] is None
    archived = api("POST", f"/v1/aso/content/{without}/archive", {"reason": "Old"})
    assert archived.get_json()["archived_reason"] == "Old"
    stale = api("POST", f"/v1/aso/content/{without}/archive", {}, {"If-Match": '"1"'})
    assert code(stale) == (412, "stale_etag")


def test_lists_are_cached_and_linked(api: Api) -> None:
    for number in range(3):
        made(api, title=f"Hub {number}")
    first = api("GET", "/v1/aso/content?limit=2&status=draft&days=30")
    assert first.headers["X-Cache"] == "MISS"
    assert [item["title"] for item in first.get_json()["items"]] == ["Hub 2", "Hub 1"]
    again = api("GET", "/v1/aso/content?limit=2&status=draft&days=30")
    assert again.headers["X-Cache"] == "HIT"
    assert (again.data, again.headers["Link"]) == (first.data, first.headers["Link"])
    following = first.headers["Link"].removeprefix("<").partition(">")[0]
    second = api("GET", following)
    assert [item["title"] for item in second.get_json()["items"]] == ["Hub 0"]
    assert "Link" not in second.headers
    cursor = first.get_json()["next_cursor"]
    assert code(api("GET", f"/v1/aso/content?limit=2&cursor={cursor}")) == (400, "invalid_cursor")
    assert code(api("GET", "/v1/aso/content?limit=201")) == (422, "validation_failed")


def test_delete_tells_before_and_after(api: Api) -> None:
    hub = made(api).get_json()["content_id"]
    made(api, content_type="spoke", hub_id=hub, monthly_traffic=9)
    refused = api("DELETE", f"/v1/aso/content/{hub}")
    assert code(refused) == (409, "has_spokes")
    assert refused.get_json()["spokes"] == 1
    before = api("DELETE", f"/v1/aso/content/{hub}?cascade=true&dry_run=true").get_json()
    after = api("DELETE", f"/v1/aso/content/{hub}?cascade=true").get_json()
    assert (before["dry_run"], before["pieces"], before["monthly_traffic_lost"]) == (True, 2, 9)
    assert after == {**before, "dry_run": False}
    assert code(api("DELETE", f"/v1/aso/content/{hub}")) == (404, "content_piece_not_found")


def test_the_tree_of_a_hub(api: Api) -> None:
    hub = made(api).get_json()["content_id"]
    leaf = made(api, content_type="spoke", hub_id=hub, title="Leaf").get_json()["content_id"]
    tree = api("GET", f"/v1/aso/hubs/{hub}/tree").get_json()
    assert [node["content_id"] for node in tree["spokes"]] == [leaf]
    assert tree["totals"]["spokes"] == 1
    assert code(api("GET", f"/v1/aso/hubs/{leaf}/tree")) == (409, "not_a_hub")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"title": "Mine"}),
        ("POST", "/publish", {"url": "https://example.com/mine"}),
        ("POST", "/archive", {}),
        ("DELETE", "", None),
        ("DELETE", "?dry_run=true", None),
    ],
)
def test_strangers_find_nothing_and_readers_change_nothing(
    api: Api, stranger: Api, reader: Api, method: str, path: str, body: object
) -> None:
    piece = made(api).get_json()
    route = f"/v1/aso/content/{piece['content_id']}{path}"
    headers = {"If-Match": "*"}
    assert code(stranger(method, route, body, headers)) == (404, "content_piece_not_found")
    if method != "GET":
        assert reader(method, route, body, headers).status_code == 403
    assert reader("GET", f"/v1/aso/content/{piece['content_id']}").get_json() == piece
