"""HTTP operations, through the framework's app, with raw requests."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from tests.triggers.serving import Function, tenant_key
from triggers.exchange import traceparent_of

Load = Callable[[str], Function]
Key = dict[str, str]
JSON = {"Content-Type": "application/json"}


def problem(response: TestResponse) -> dict[str, Any]:
    """Return the problem document of an answer, after checking what all of them have."""
    assert response.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(response.data)
    assert document["status"] == response.status_code
    assert document["type"] == f"/problems/{document['code']}"
    assert document["request_id"] == response.headers["X-Request-ID"]
    assert document["title"]
    assert document["detail"]
    return document


def create(function: Load, key: Key, body: object, **headers: str) -> TestResponse:
    return function("note_create").client.post("/", json=body, headers={**key, **headers})


class TestAnswers:
    def test_both_addresses_reach_the_handler(self, function: Load, key: Key) -> None:
        made = create(function, key, {"name": "two addresses"}).get_json()
        get = function("note_get").client
        short = get.get(f"/{made['thing_id']}", headers=key)
        rest = get.get(f"/v1/demo/notes/{made['thing_id']}", headers=key)
        assert short.status_code == rest.status_code == 200
        assert short.data == rest.data
        assert json.loads(short.data)["name"] == "two addresses"

    def test_a_record_has_an_entity_tag(self, function: Load, key: Key) -> None:
        made = create(function, key, {"name": "tagged"})
        assert made.status_code == 201
        get = function("note_get").client
        read = get.get(f"/{made.get_json()['thing_id']}", headers=key)
        assert read.headers["ETag"] == made.headers["ETag"]
        known = get.get(
            f"/{made.get_json()['thing_id']}", headers={**key, "If-None-Match": f'"1", W/{made.headers["ETag"]}'}
        )
        assert (known.status_code, known.data) == (304, b"")
        assert known.headers["ETag"] == made.headers["ETag"]
        assert "Content-Type" not in known.headers

    def test_a_page_links_to_the_next(self, function: Load, key: Key) -> None:
        client = function("note_list").client
        page = client.get("/v1/demo/notes?limit=2&colour=red&colour=blue&cursor=0", headers=key)
        assert json.loads(page.data) == {
            "items": [{"number": 0, "text": "red,blue"}, {"number": 1, "text": "red,blue"}],
            "next_cursor": "2",
        }
        link = page.headers["Link"]
        assert link == '</v1/demo/notes?limit=2&colour=red&colour=blue&cursor=2>; rel="next"'
        last = client.get(link[1 : link.index(">")].replace("cursor=2", "cursor=4"), headers=key)
        assert last.get_json()["next_cursor"] is None
        assert "Link" not in last.headers

    def test_text_is_utf_8_unescaped(self, function: Load, key: Key) -> None:
        assert '"text":"ü"'.encode() in function("note_list").client.get("/?limit=1", headers=key).data

    def test_a_cached_answer_says_so(self, function: Load, key: Key) -> None:
        name = uuid.uuid4().hex
        client = function("note_figures").client
        first = client.get(f"/{name}", headers=key)
        second = client.get(f"/v1/demo/figures/{name}", headers=key)
        assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("MISS", "HIT")
        assert first.data == second.data == b'{"total":32}'
        assert int(second.headers["Age"]) >= 0

    def test_an_answer_has_its_own_status_and_headers(self, function: Load, key: Key) -> None:
        note_id = uuid.uuid4()
        seen = function("note_update").client.patch(
            f"/{note_id}", json={"name": "  trimmed "}, headers={**key, "If-Match": '"7"'}
        )
        assert seen.status_code == 202
        assert seen.headers["Location"] == f"/v1/demo/notes/{note_id}"
        assert seen.get_json() == {"note_id": str(note_id), "if_match": '"7"', "name": "trimmed"}

    def test_a_download_streams_under_its_name(self, function: Load) -> None:
        file = function("note_export").client.get("/")
        assert file.data == b"one\ntwo\n"
        assert file.headers["Content-Type"] == "text/csv"
        assert file.headers["Cache-Control"] == "public, max-age=300"
        disposition = file.headers["Content-Disposition"]
        assert disposition == "attachment; filename=\"gr__e _1_.csv\"; filename*=UTF-8''gr%C3%BC%C3%9Fe%20%221%22.csv"

    def test_head_is_get_without_the_body(self, function: Load, key: Key) -> None:
        head = function("note_list").client.head("/", headers=key)
        assert (head.status_code, head.data) == (200, b"")
        assert int(head.headers["Content-Length"]) > 0

    def test_nothing_is_204(self, function: Load) -> None:
        answer = function("note_faults").client.get("/?kind=none")
        assert (answer.status_code, answer.data) == (204, b"")
        assert "Content-Type" not in answer.headers

    def test_private_answers_are_not_stored_on_the_way(self, function: Load, key: Key) -> None:
        assert function("note_list").client.get("/", headers=key).headers["Cache-Control"] == "no-store"

    def test_the_rate_is_told(self, function: Load, key: Key) -> None:
        answer = create(function, key, {"name": "counted"})
        assert answer.headers["RateLimit-Policy"] == '"standard";q=60;w=60'
        assert answer.headers["RateLimit"].startswith('"standard";r=')


class TestRequestId:
    def test_a_usable_one_is_echoed(self, function: Load) -> None:
        answer = function("note_faults").client.get("/?kind=", headers={"X-Request-ID": "Order-7.b_2"})
        assert answer.headers["X-Request-ID"] == "Order-7.b_2"

    @pytest.mark.parametrize("given", ["", "with space", "x" * 129, 'quo"te', "ü"])
    def test_any_other_is_replaced(self, function: Load, given: str) -> None:
        answer = function("note_faults").client.get("/?kind=", headers={"X-Request-ID": given})
        assert uuid.UUID(answer.headers["X-Request-ID"])

    def test_the_log_line_has_it_with_the_callers_trace(
        self, function: Load, key: Key, process: Clients, logged: Callable[[], list[dict[str, Any]]]
    ) -> None:
        traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        function("note_list").client.get(
            "/?cursor=1", headers={**key, "X-Request-ID": "abc", "traceparent": traceparent}
        )
        line = logged()[-1]
        assert line["request_id"] == "abc"
        assert line["function"] == "demo-note-list"
        assert line["tenant_id"] == "acme"
        assert line["severity"] == "INFO"
        assert line["message"] == "GET / 200"
        assert line["httpRequest"]["status"] == 200
        assert line["logging.googleapis.com/trace"] == (
            f"projects/{process.settings.project}/traces/0af7651916cd43dd8448eb211c80319c"
        )
        assert line["logging.googleapis.com/trace_sampled"] is True
        assert line["logging.googleapis.com/spanId"] != "b7ad6b7169203331"

    @pytest.mark.parametrize(
        ("cloud_trace", "traceparent"),
        [
            ("0af7651916cd43dd8448eb211c80319c/255;o=1", "00-0af7651916cd43dd8448eb211c80319c-00000000000000ff-01"),
            ("0af7651916cd43dd8448eb211c80319c/255", "00-0af7651916cd43dd8448eb211c80319c-00000000000000ff-00"),
            ("0af7651916cd43dd8448eb211c80319c/99999999999999999999;o=1", None),
            ("x/1;o=1", None),
            ("", None),
        ],
    )
    def test_the_trace_header_of_the_platform_is_understood(self, cloud_trace: str, traceparent: str | None) -> None:
        assert traceparent_of(cloud_trace) == traceparent


class TestCrossOrigin:
    def test_an_allowed_page_may_ask_before_it_calls(self, function: Load) -> None:
        answer = function("note_create").client.options(
            "/", headers={"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
        )
        assert (answer.status_code, answer.data) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
        # A front door sends the preflight of every verb of a path to one of the functions behind it.
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST, PUT, PATCH, DELETE"
        assert answer.headers["Allow"] == "POST, OPTIONS"
        assert "Idempotency-Key" in answer.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers

    @pytest.mark.parametrize(
        "origin",
        [
            "https://app.example.com.evil.org",
            "https://evil.org",
            "http://app.example.com",
            "null",
            "http://localhost.evil.org",
            "https://localhost:3000",
            "http://localhost:3000/path",
        ],
    )
    def test_any_other_page_gets_no_permission(self, function: Load, origin: str) -> None:
        answer = function("note_export").client.get("/", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Vary"] == "Origin"

    @pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:80", "http://localhost"])
    def test_local_pages_may_call_the_local_cloud(self, function: Load, origin: str) -> None:
        answer = function("note_export").client.get("/", headers={"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]

    def test_a_refusal_can_be_read_by_the_page_too(self, function: Load) -> None:
        answer = function("note_create").client.post("/", headers={"Origin": "https://app.example.com"})
        assert answer.status_code == 401
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.com"


class TestAddress:
    @pytest.mark.parametrize("path", ["/", "/a/b", "/v1/demo/notes", "/v1/demo/other/x", "/v1/demo/notes/x/y"])
    def test_an_unknown_path_is_404(self, function: Load, key: Key, path: str) -> None:
        answer = function("note_get").client.get(path, headers=key)
        assert (answer.status_code, problem(answer)["code"]) == (404, "route_not_found")

    @pytest.mark.parametrize("value", ["7", "x", "0190-", "{0190aaaa-0000-7000-8000-000000000000}", "%FF"])
    def test_an_id_that_is_no_uuid_is_404(self, function: Load, key: Key, value: str) -> None:
        answer = function("note_get").client.get(f"/{value}", headers=key)
        assert (answer.status_code, problem(answer)["code"]) == (404, "not_found")

    def test_parameters_are_decoded(self, function: Load, key: Key) -> None:
        assert function("note_figures").client.get("/%C3%BC%20b", headers=key).get_json() == {"total": 3}

    def test_another_method_is_405(self, function: Load, key: Key) -> None:
        answer = function("note_get").client.post(f"/{uuid.uuid4()}", headers=key)
        assert (answer.status_code, problem(answer)["code"]) == (405, "method_not_allowed")
        assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


class TestPermission:
    def test_no_credential_is_401(self, function: Load) -> None:
        answer = function("note_list").client.get("/")
        assert (answer.status_code, problem(answer)["code"]) == (401, "credential_missing")
        assert "Bearer" in answer.headers["WWW-Authenticate"]

    def test_another_tenant_in_the_header_is_403(self, function: Load, key: Key) -> None:
        client = function("note_list").client
        answer = client.get("/", headers={**key, "X-Tenant-ID": "globex"})
        assert (answer.status_code, problem(answer)["code"]) == (403, "tenant_mismatch")
        assert client.get("/", headers={**key, "X-Tenant-ID": "acme"}).status_code == 200

    def test_a_missing_scope_is_403(self, function: Load, process: Clients) -> None:
        reader = tenant_key(process, "acme", ("demo:read",))
        answer = create(function, reader, {"name": "x"})
        assert (answer.status_code, problem(answer)["code"]) == (403, "scope_missing")

    def test_a_role_that_may_not_is_403(self, function: Load, process: Clients) -> None:
        user = tenant_key(process, "acme", ("demo:write",), role="user")
        answer = function("note_update").client.patch(f"/{uuid.uuid4()}", json={"name": "x"}, headers=user)
        assert (answer.status_code, problem(answer)["code"]) == (403, "role_missing")

    def test_too_many_calls_are_429(self, function: Load, process: Clients) -> None:
        key = tenant_key(process, "hasty", ("demo:write",))
        client = function("note_import").client
        answers = [client.post("/", data=b"x", headers={**key, "Content-Type": "text/csv"}) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429]
        assert problem(answers[-1])["code"] == "rate_limited"
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        assert answers[-1].headers["RateLimit"].startswith('"expensive";r=0')


class TestBody:
    @pytest.mark.parametrize(
        ("content", "line", "column", "offset"),
        [
            (b'{"name": }', 1, 10, 9),
            (b'{\n  "name": "a",\n}', 3, 1, 17),
            ('{"ü": x}'.encode(), 1, 7, 7),
            (b"", 1, 1, 0),
            (b'{"name": "\xff"}', 1, 11, 10),
            (b'{"size": NaN}', 1, 10, 9),
            (b'{"size": -Infinity}', 1, 10, 9),
            (b'{"name": "a", "name": "b"}', 1, 15, 14),
            (b'\xef\xbb\xbf{"name": "a"}', 1, 1, 0),
            (b"[" * 65 + b"]" * 65, 1, 65, 64),
            (b"[" * 1900, 1, 65, 64),
        ],
    )
    def test_malformed_json_is_400_with_its_place(
        self, function: Load, key: Key, content: bytes, line: int, column: int, offset: int
    ) -> None:
        answer = function("note_create").client.post("/", data=content, headers={**key, **JSON})
        document = problem(answer)
        assert (answer.status_code, document["code"]) == (400, "malformed_json")
        assert (document["line"], document["column"], document["offset"]) == (line, column, offset)

    @pytest.mark.parametrize("content", [b'{"name": "\\ud800"}', b'{"size": 1' + b"0" * 1800 + b"}"])
    def test_what_only_some_parsers_take_is_refused(self, function: Load, key: Key, content: bytes) -> None:
        assert function("note_create").client.post("/", data=content, headers={**key, **JSON}).status_code in {400, 422}

    def test_every_broken_rule_is_pointed_to(self, function: Load, key: Key) -> None:
        body = {
            "size": "many",
            "tags": ["a", 2],
            "shapes": [{"kind": "circle", "radius": 1}, {"kind": "square", "side": "x", "a/b~": 1}, {"kind": "blob"}],
            "colour": "red",
        }
        answer = create(function, key, body)
        document = problem(answer)
        assert (answer.status_code, document["code"]) == (422, "validation_failed")
        found = {error["pointer"]: error["code"] for error in document["errors"]}
        assert found == {
            "/name": "required",
            "/size": "int_parsing",
            "/tags/1": "string_type",
            "/shapes/1/side": "float_parsing",
            "/shapes/1/a~1b~0": "unknown_field",
            "/shapes/2": "union_tag_invalid",
            "/colour": "unknown_field",
        }
        assert "many" not in answer.get_data(as_text=True)

    def test_a_body_that_is_no_object_points_to_all_of_it(self, function: Load, key: Key) -> None:
        assert problem(create(function, key, [1]))["errors"][0]["pointer"] == ""

    @pytest.mark.parametrize("kind", ["text/plain", "application/json; charset=latin-1", "", "multipart/form-data"])
    def test_another_type_is_415(self, function: Load, key: Key, kind: str) -> None:
        answer = function("note_create").client.post("/", data=b"{}", headers={**key, "Content-Type": kind})
        assert (answer.status_code, problem(answer)["code"]) == (415, "unsupported_media_type")
        assert answer.headers["Accept"] == "application/json"

    def test_parameters_of_the_type_do_not_matter(self, function: Load, key: Key) -> None:
        answer = function("note_create").client.post(
            "/", data=b'{"name": "utf-8"}', headers={**key, "Content-Type": "Application/JSON; charset=UTF-8"}
        )
        assert answer.status_code == 201

    def test_no_body_is_400(self, function: Load, key: Key) -> None:
        answer = function("note_create").client.post("/", headers=key)
        assert (answer.status_code, problem(answer)["code"]) == (400, "body_required")

    @pytest.mark.parametrize("announced", [True, False])
    def test_too_large_a_body_is_413(self, function: Load, key: Key, announced: bool) -> None:
        environ: dict[str, Any] = {} if announced else {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
        body = json.dumps({"name": "x" * 2000}).encode()
        answer = function("note_create").client.post("/", data=body, headers={**key, **JSON}, environ_overrides=environ)
        assert (answer.status_code, problem(answer)["code"]) == (413, "payload_too_large")
        assert problem(answer)["max_bytes"] == 2000

    def test_a_body_without_announced_length_is_read(self, function: Load, key: Key) -> None:
        environ: dict[str, Any] = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
        answer = function("note_create").client.post(
            "/", data=b'{"name": "chunked"}', headers={**key, **JSON}, environ_overrides=environ
        )
        assert answer.status_code == 201

    def test_a_body_cut_off_is_400(self, function: Load, key: Key) -> None:
        answer = function("note_create").client.post(
            "/", data=b'{"name": "cut"}', headers={**key, **JSON}, environ_overrides={"CONTENT_LENGTH": "100"}
        )
        assert (answer.status_code, problem(answer)["code"]) == (400, "incomplete_body")

    def test_a_file_arrives_with_its_name(self, function: Load, key: Key) -> None:
        answer = function("note_import").client.post(
            "/",
            data=b"a,b\n",
            headers={
                **key,
                "Content-Type": "text/csv; charset=utf-8",
                "Content-Disposition": "attachment; filename*=UTF-8''..%2Fgr%C3%BC%C3%9Fe.csv",
            },
        )
        assert answer.get_json() == {"size": 4, "content_type": "text/csv", "filename": "grüße.csv"}


class TestQuery:
    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ("limit=0", "query:limit", "greater_than_equal"),
            ("limit=x", "query:limit", "int_parsing"),
            ("limt=3", "query:limt", "unknown_field"),
            ("limit=1&limit=2", "query:limit", "repeated"),
            ("colour=red&colour=green", "query:colour/1", "literal_error"),
            ("done=perhaps", "query:done", "bool_parsing"),
            ("limit=", "query:limit", "int_parsing"),
        ],
    )
    def test_a_wrong_parameter_is_422(self, function: Load, key: Key, query: str, pointer: str, code: str) -> None:
        answer = function("note_list").client.get(f"/?{query}", headers=key)
        assert answer.status_code == 422
        errors = problem(answer)["errors"]
        assert [(error["pointer"], error["code"]) for error in errors] == [(pointer, code)]

    def test_an_operation_without_query_takes_none(self, function: Load, key: Key) -> None:
        answer = function("note_get").client.get(f"/{uuid.uuid4()}?fields=name", headers=key)
        assert problem(answer)["errors"][0]["pointer"] == "query:fields"

    def test_a_query_that_is_no_utf_8_is_400(self, function: Load, key: Key) -> None:
        assert problem(function("note_list").client.get("/?cursor=%FF", headers=key))["code"] == "malformed_query"


class TestIfMatch:
    def test_it_is_required_where_declared(self, function: Load, key: Key) -> None:
        answer = function("note_update").client.patch(f"/{uuid.uuid4()}", json={"name": "x"}, headers=key)
        assert (answer.status_code, problem(answer)["code"]) == (428, "if_match_required")
        assert problem(answer)["errors"][0]["pointer"] == "header:If-Match"

    @pytest.mark.parametrize("tag", ["7", 'W/"7"', '"7", "8"', '"7', "", '"a"b"'])
    def test_anything_but_one_strong_tag_is_400(self, function: Load, key: Key, tag: str) -> None:
        answer = function("note_update").client.patch(
            f"/{uuid.uuid4()}", json={"name": "x"}, headers={**key, "If-Match": tag}
        )
        assert (answer.status_code, problem(answer)["code"]) == (400, "invalid_if_match")

    def test_a_star_is_taken(self, function: Load, key: Key) -> None:
        answer = function("note_update").client.patch(
            f"/{uuid.uuid4()}", json={"name": "x"}, headers={**key, "If-Match": "*"}
        )
        assert answer.get_json()["if_match"] == "*"


class TestRepetition:
    def test_the_work_is_done_once_and_answered_the_same(self, function: Load, key: Key) -> None:
        calls = function("note_create").module.CALLS
        body, idempotency_key = {"name": f"once {uuid.uuid4().hex[:8]}"}, uuid.uuid4().hex
        first = create(function, key, body, **{"Idempotency-Key": idempotency_key})
        second = create(function, key, body, **{"Idempotency-Key": idempotency_key})
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.data == second.data
        assert first.headers["ETag"] == second.headers["ETag"]
        assert "Idempotency-Replayed" not in first.headers
        assert second.headers["Idempotency-Replayed"] == "true"
        assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
        assert calls.count(body["name"]) == 1

    def test_the_key_with_another_body_is_422(self, function: Load, key: Key) -> None:
        idempotency_key = uuid.uuid4().hex
        create(function, key, {"name": f"one {idempotency_key[:8]}"}, **{"Idempotency-Key": idempotency_key})
        answer = create(function, key, {"name": "other"}, **{"Idempotency-Key": idempotency_key})
        assert (answer.status_code, problem(answer)["code"]) == (422, "idempotency_key_reused")

    def test_a_refusal_by_the_operation_is_repeated(self, function: Load, key: Key) -> None:
        calls = function("note_create").module.CALLS
        body = {"name": f"taken {uuid.uuid4().hex[:8]}"}
        create(function, key, body)
        header = {"Idempotency-Key": uuid.uuid4().hex}
        answers = [create(function, key, body, **header) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [409, 409]
        assert answers[0].data == answers[1].data
        assert answers[1].headers["Content-Type"] == "application/problem+json"
        assert calls.count(body["name"]) == 2

    def test_a_failure_is_tried_again(self, function: Load, key: Key) -> None:
        calls = function("note_create").module.CALLS
        before = calls.count("crash")
        header = {"Idempotency-Key": uuid.uuid4().hex}
        assert [create(function, key, {"name": "crash"}, **header).status_code for _ in range(2)] == [500, 500]
        assert calls.count("crash") == before + 2

    def test_what_is_refused_before_the_operation_does_not_use_the_key(self, function: Load, key: Key) -> None:
        header = {"Idempotency-Key": uuid.uuid4().hex}
        assert create(function, key, {"nam": "x"}, **header).status_code == 422
        assert create(function, key, {"name": f"now {uuid.uuid4().hex[:8]}"}, **header).status_code == 201

    @pytest.mark.parametrize("value", ["", "with space", "x" * 256, "ü"])
    def test_an_unusable_key_is_400(self, function: Load, key: Key, value: str) -> None:
        answer = create(function, key, {"name": "x"}, **{"Idempotency-Key": value})
        assert (answer.status_code, problem(answer)["code"]) == (400, "invalid_idempotency_key")

    def test_the_same_key_of_another_tenant_is_another_key(self, function: Load, key: Key, process: Clients) -> None:
        other = tenant_key(process, "globex", ("demo:write",))
        header, body = {"Idempotency-Key": uuid.uuid4().hex}, {"name": f"both {uuid.uuid4().hex[:8]}"}
        mine, theirs = create(function, key, body, **header), create(function, other, body, **header)
        assert (mine.status_code, theirs.status_code) == (201, 201)
        assert mine.get_json()["thing_id"] != theirs.get_json()["thing_id"]


class TestFailures:
    @pytest.mark.parametrize(
        ("kind", "dependency", "retry_after"),
        [("unavailable", "bigquery", "7"), ("deadline", "network", "5"), ("aborted", "network", "5")],
    )
    def test_a_dependency_that_is_down_is_503(
        self, function: Load, kind: str, dependency: str, retry_after: str
    ) -> None:
        answer = function("note_faults").client.get(f"/?kind={kind}")
        document = problem(answer)
        assert (answer.status_code, document["code"]) == (503, "dependency_unavailable")
        assert document["dependency"] == dependency
        assert answer.headers["Retry-After"] == retry_after

    def test_a_leaked_error_of_redis_is_503(self, function: Load) -> None:
        assert function("note_faults").client.get("/?kind=redis").status_code == 503

    @pytest.mark.parametrize("kind", ["crash", "invalid"])
    def test_any_other_error_is_500_and_tells_nothing(
        self, function: Load, kind: str, logged: Callable[[], list[dict[str, Any]]]
    ) -> None:
        answer = function("note_faults").client.get(f"/?kind={kind}")
        document = problem(answer)
        assert (answer.status_code, document["code"]) == (500, "internal_error")
        assert "hunter2" not in answer.get_data(as_text=True)
        assert "query is wrong" not in answer.get_data(as_text=True)
        stack = [line for line in logged() if "Traceback" in line["message"]]
        assert len(stack) == 1
        assert stack[0]["severity"] == "ERROR"
        assert stack[0]["request_id"] == document["request_id"]
        assert "note_faults.py" in stack[0]["message"]

    def test_details_of_a_refusal_are_members_of_the_problem(self, function: Load) -> None:
        answer = function("note_faults").client.get("/?kind=conflict")
        assert (answer.status_code, problem(answer)["taken_by"]) == (409, "x")


def test_what_is_written_carries_the_request(function: Load, key: Key, process: Clients) -> None:
    made = create(function, key, {"name": "traced"}, **{"X-Request-ID": "req-42"})
    stored = process.get(firestore_client).document(f"things/{made.get_json()['thing_id']}").get().to_dict()
    assert stored["_meta"]["request_id"] == "req-42"
    assert stored["_meta"]["function"] == "demo-note-create"
