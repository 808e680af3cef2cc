"""The operations on keywords and ranks through HTTP."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.functions.aso.conftest import Api

TODAY = datetime.now(UTC).date().isoformat()
RANK = {"keyword": "scan", "date": TODAY, "state": "ranked", "position": 12.5}


def upserted(api: Api, *rows: object) -> TestResponse:
    answer = api("POST", "/v1/aso/keywords", {"rows": list(rows)})
    assert answer.status_code == 207, answer.text
    return answer


def followed(api: Api, keyword: str = "scan", **fields: Any) -> str:
    row = upserted(api, {"keyword": keyword, **fields}).get_json()["rows"][0]
    return str(row["value"]["keyword_id"])


def code(answer: TestResponse) -> tuple[int, str]:
    assert answer.content_type == "application/problem+json", answer.text
    return answer.status_code, answer.get_json()["code"]


def test_rows_get_an_answer_each(api: Api) -> None:
    answer = upserted(api, {"keyword": "scan", "search_volume": 100, "allintitle_results": 10}, {"keyword": 5}, None)
    body = answer.get_json()
    assert [row["status"] for row in body["rows"]] == [201, 422, 422]
    assert (body["created"], body["refused"]) == (1, 2)
    assert body["rows"][0]["value"]["kgr_class"] == "excellent"
    assert body["rows"][1]["problem"]["pointer"] == "/rows/1/keyword"


@pytest.mark.parametrize("rows", [[], [{"keyword": str(number)} for number in range(501)], {"keyword": "scan"}, None])
def test_a_batch_has_one_to_five_hundred_rows(api: Api, rows: object) -> None:
    assert code(api("POST", "/v1/aso/keywords", {"rows": rows})) == (422, "validation_failed")
    assert code(api("POST", "/v1/aso/ranks", {"rows": rows})) == (422, "validation_failed")


def test_an_idempotency_key_repeats_the_answer(api: Api) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    body = {"rows": [{"keyword": "scan", "search_volume": 100}]}
    first = api("POST", "/v1/aso/keywords", body, key)
    again = api("POST", "/v1/aso/keywords", body, key)
    assert first.data == again.data
    assert again.get_json()["created"] == 1
    assert api("POST", "/v1/aso/keywords", body).get_json()["unchanged"] == 1


def test_read_list_and_delete(api: Api) -> None:
    keyword_id = followed(api, priority="tier1")
    followed(api, "other")
    read = api("GET", f"/v1/aso/keywords/{keyword_id}")
    assert (read.status_code, read.get_json()["priority_source"]) == (200, "user")
    known = api("GET", f"/v1/aso/keywords/{keyword_id}", headers={"If-None-Match": read.headers["ETag"]})
    assert known.status_code == 304
    listed = api("GET", "/v1/aso/keywords?priority=tier1&limit=10")
    assert [item["keyword"] for item in listed.get_json()["items"]] == ["scan"]
    assert (listed.headers["X-Cache"], listed.headers["Age"]) == ("MISS", "0")
    assert code(api("DELETE", f"/v1/aso/keywords/{keyword_id}", headers={"If-Match": '"1"'})) == (412, "stale_etag")
    gone = api("DELETE", f"/v1/aso/keywords/{keyword_id}", headers={"If-Match": read.headers["ETag"]})
    assert (gone.status_code, gone.data) == (204, b"")
    assert code(api("GET", f"/v1/aso/keywords/{keyword_id}")) == (404, "keyword_not_found")


def test_ranks_are_recorded_and_read_back(api: Api) -> None:
    keyword_id = followed(api)
    answer = api("POST", "/v1/aso/ranks", {"rows": [RANK, {**RANK, "position": 3}, {**RANK, "keyword": "unknown"}]})
    assert answer.status_code == 207
    assert [row["status"] for row in answer.get_json()["rows"]] == [201, 409, 404]
    keyword = api("GET", f"/v1/aso/keywords/{keyword_id}").get_json()
    assert (keyword["current_ranking"], keyword["average_position"], keyword["best_ranking"]) == (13, 12.5, 13)
    history = api("GET", f"/v1/aso/keywords/{keyword_id}/history?from={TODAY}&to={TODAY}&device=all").get_json()
    assert (history["from"], history["to"], history["device"]) == (TODAY, TODAY, "all")
    assert history["days"] == [{"date": TODAY, "position": 12.5, "url": None, "gap": None, "depth": None, "checks": 1}]
    assert code(api("GET", f"/v1/aso/keywords/{keyword_id}/history?from=2026-02-30")) == (422, "validation_failed")
    assert code(api("GET", f"/v1/aso/keywords/{keyword_id}/history?from=2020-01-01")) == (422, "range_too_long")


def test_unknown_keywords_are_followed_on_request(api: Api) -> None:
    assert api("POST", "/v1/aso/ranks", {"rows": [RANK], "create_missing": True}).get_json()["created"] == 1
    assert [item["keyword"] for item in api("GET", "/v1/aso/keywords").get_json()["items"]] == ["scan"]


def test_strangers_find_nothing_and_readers_change_nothing(api: Api, stranger: Api, reader: Api) -> None:
    keyword_id = followed(api)
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/history")):
        assert code(stranger(method, f"/v1/aso/keywords/{keyword_id}{path}")) == (404, "keyword_not_found")
    taken = stranger("POST", "/v1/aso/ranks", {"rows": [{**RANK, "keyword": None, "keyword_id": keyword_id}]})
    assert taken.get_json()["rows"][0]["problem"]["code"] == "keyword_not_found"
    assert stranger("GET", "/v1/aso/keywords").get_json()["items"] == []
    assert reader("POST", "/v1/aso/keywords", {"rows": [{"keyword": "x"}]}).status_code == 403
    assert reader("POST", "/v1/aso/ranks", {"rows": [RANK]}).status_code == 403
    assert reader("DELETE", f"/v1/aso/keywords/{keyword_id}").status_code == 403
    assert reader("GET", f"/v1/aso/keywords/{keyword_id}").status_code == 200
