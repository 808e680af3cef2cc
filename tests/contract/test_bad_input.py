"""Bad input: each kind of mistake gets its own status and stable code, in a problem document that points to it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.hosts import another_host
from tests.operations import OPERATIONS, Operation, document, nothing, problem_of, refusal
from tests.people import stranger
from tests.stack import Caller, Stack, TenantHandle
from triggers.local.processes import free_port

JSON_BODIES = [each for each in OPERATIONS if each.schema is not None]
UPLOADS = [each for each in OPERATIONS if each.media_type not in {None, "application/json"}]
WITH_BODIES = [*JSON_BODIES, *UPLOADS]
LIMITED = [each for each in OPERATIONS if not each.entry["public"] and each.entry["rate"] != "none"]


def named(operations: list[Operation]) -> pytest.MarkDecorator:
    """Return the parametrisation over operations."""
    return pytest.mark.parametrize("operation", operations, ids=[each.name for each in operations])


@pytest.fixture(scope="module")
def headers_for(caller_for: Callable[[Operation], Caller]) -> Callable[[Operation], Mapping[str, str]]:
    """Return the credential that an operation asks for."""
    return lambda operation: caller_for(operation).headers


def raw(url: str, operation: Operation, headers: Mapping[str, str], body: bytes | Iterator[bytes]) -> requests.Response:
    """Send bytes as they are; an iterator has no length announced."""
    sent = {"Content-Type": operation.media_type or "", "If-Match": "*", **headers}
    return requests.request(operation.method, url + operation.route(), data=body, headers=sent, timeout=60)


def pieces(size: int) -> Iterator[bytes]:
    """Yield so many bytes of white space in pieces."""
    for _ in range(size // 65_536 + 1):
        yield b" " * 65_536


@named(WITH_BODIES)
def test_body_too_large(operation: Operation, cloud: Stack, headers_for: Any) -> None:
    size = operation.entry["max_body"]
    for body in (b" " * (size + 1), pieces(size + 1)):
        answer = raw(cloud.url, operation, headers_for(operation), body)
        assert refusal(answer) == (413, "payload_too_large")
        assert answer.json()["max_bytes"] == size


@named(WITH_BODIES)
@pytest.mark.parametrize("kind", ["application/xml", "text/json", "application/json; charset=utf-16", "nonsense", ""])
def test_wrong_media_type(operation: Operation, kind: str, cloud: Stack, headers_for: Any) -> None:
    headers = {**headers_for(operation), "Content-Type": kind}
    answer = raw(cloud.url, operation, headers, b"{}")
    assert refusal(answer) == (415, "unsupported_media_type")
    assert answer.headers["Accept"] == ", ".join(operation.entry["accepts"])


MALFORMED: list[tuple[bytes, int, int]] = [
    (b'{"a": 1,}', 1, 9),
    (b'{\n  "a": nope\n}', 2, 8),
    (b"{", 1, 2),
    (b'{"a": "\xff"}', 1, 8),
    (b'{"a": NaN}', 1, 7),
    (b'{"a": -Infinity}', 1, 7),
    (b'{"a": 1, "a": 2}', 1, 10),
    (b'{"a": 01}', 1, 8),
    (b"{'a': 1}", 1, 2),
    (b'{"a": 1} {}', 1, 10),
    (b'{"a": "\x01"}', 1, 8),
    (b'{"a": ' * 100 + b"1" + b"}" * 100, 1, 385),
    (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 1, 70),
]


@named(JSON_BODIES)
@pytest.mark.parametrize(("body", "line", "column"), MALFORMED)
def test_malformed_json(
    operation: Operation, body: bytes, line: int, column: int, cloud: Stack, headers_for: Any
) -> None:
    answer = raw(cloud.url, operation, headers_for(operation), body)
    assert refusal(answer) == (400, "malformed_json")
    told = answer.json()
    assert (told["line"], told["column"]) == (line, column), told


@named(JSON_BODIES)
def test_body_missing(operation: Operation, cloud: Stack, headers_for: Any) -> None:
    if not operation.described["requestBody"]["required"]:
        return
    headers = {"If-Match": "*", **headers_for(operation)}
    answer = requests.request(operation.method, cloud.url + operation.route(), headers=headers, timeout=60)
    assert refusal(answer) == (400, "body_required")


@named(JSON_BODIES)
@pytest.mark.parametrize("body", [[], "text", 7, True, None])
def test_body_of_another_shape(operation: Operation, body: Any, cloud: Stack, headers_for: Any) -> None:
    answer = raw(cloud.url, operation, headers_for(operation), json.dumps(body).encode())
    assert refusal(answer) == (422, "validation_failed")
    assert answer.json()["errors"][0]["pointer"] == ""


@named(JSON_BODIES)
def test_unknown_field(operation: Operation, cloud: Stack, headers_for: Any) -> None:
    body = {**operation.example, "no~such/field": 1}
    answer = raw(cloud.url, operation, headers_for(operation), json.dumps(body).encode())
    assert refusal(answer) == (422, "validation_failed")
    places = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert places == [("/no~0such~1field", "unknown_field")]


TOLERANT = {"tenants-account-callback"}
"""Takes what a provider sends, which may send more than anybody told (RFC 6749, 4.1.2)."""


@named(OPERATIONS)
def test_unknown_and_repeated_query_parameter(operation: Operation, cloud: Stack, headers_for: Any) -> None:
    names = [*operation.query[:1]] * 2
    told = [("no such", "1")] if operation.name not in TOLERANT else []
    for query, code in (told, "unknown_field"), ([(name, "1") for name in names], "repeated"):
        if not query:
            continue
        headers = {} if operation.entry["public"] else headers_for(operation)
        target = cloud.url + operation.route()
        answer = requests.request(operation.method, target, params=query, headers=headers, timeout=60)
        assert refusal(answer) == (422, "validation_failed")
        [error] = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == (f"query:{query[0][0]}", code)


UNKNOWN = ["0198c5f2-7c1e-7d53-9a3b-000000000000", "x", "..", "%2e%2e", "__id__", "a" * 2000, "%C3%BC", "a%00b", "%ff"]


@named([each for each in OPERATIONS if each.parameters])
@pytest.mark.parametrize("value", UNKNOWN)
def test_unknown_id(operation: Operation, value: str, cloud: Stack, headers_for: Any) -> None:
    path = str(operation.entry["path"])
    for name in operation.parameters:
        path = path.replace("{" + name + "}", value)
    sent = {"If-Match": "*", **headers_for(operation)}
    if operation.media_type is not None:
        sent["Content-Type"] = operation.media_type
    body = None if operation.example is None else json.dumps(operation.example)
    # http.client sends a path as it is; requests would tidy it.
    connection = http.client.HTTPConnection(cloud.url.removeprefix("http://"), timeout=60)
    connection.request(operation.method, path, body=body, headers=dict(sent))
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json"), told
    assert told["code"].endswith("not_found"), told


@named([each for each in OPERATIONS if each.entry["if_match"] == "required"])
def test_precondition_required(operation: Operation, cloud: Stack, headers_for: Any) -> None:
    headers = {**headers_for(operation), "Content-Type": "application/json"}
    target = cloud.url + operation.route()
    answer = requests.request(operation.method, target, data=json.dumps(operation.example), headers=headers, timeout=60)
    assert refusal(answer) == (428, "if_match_required")
    for tag in ("unquoted", 'W/"1"', '"1", "2"', ""):
        answer = operation.send(cloud.url, {**headers, "If-Match": tag})
        assert refusal(answer) == (400, "invalid_if_match"), tag


def test_stale_etag(owner: TenantHandle) -> None:
    made = owner.client.post("/v1/aso/content", {"content_type": "hub", "keyword_primary": "a", "title": "b"})
    path, tag = f"/v1/aso/content/{made.json()['content_id']}", made.headers["ETag"]
    assert owner.client.patch(path, {"title": "c"}, headers={"If-Match": tag}).status_code == 200
    calls = [("PATCH", path, {"title": "d"}), ("POST", f"{path}/archive", {}), ("POST", f"{path}/publish", {})]
    for method, route, body in [*calls, ("DELETE", path, None)]:
        answer = owner.client.request(method, route, json=body, headers={"If-Match": tag})
        assert refusal(answer) == (412, "stale_etag"), route
    assert owner.client.get(path).json()["title"] == "c"


@named(OPERATIONS)
def test_other_methods(operation: Operation, cloud: Stack) -> None:
    own = {"GET": "GET, HEAD, OPTIONS"}.get(operation.method, f"{operation.method}, OPTIONS")
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"} - {operation.method}:
        answer = requests.request(method, cloud.url + operation.address(), timeout=60)
        assert refusal(answer) == (405, "method_not_allowed")
        assert answer.headers["Allow"] == own
    answer = requests.request("PROPFIND", cloud.url + operation.route(), timeout=60)
    assert answer.status_code == 405
    assert operation.method in answer.headers["Allow"].split(", ")


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/nothing", "/v1/aso/content/a/b/c", "/no-such-function", "/v1/aso/content/", "//v1/jobs"]
)
def test_unknown_route(path: str, cloud: Stack, owner: TenantHandle) -> None:
    answer = requests.get(cloud.url + path, headers=owner.client.headers, timeout=60)
    assert refusal(answer)[0] == 404
    assert answer.json()["code"] in {"route_not_found", "not_found"}


@pytest.fixture(scope="module")
def limited(cloud: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The functions with very low limits."""
    changes = {"XYNERGY_RATE_LIMITS": "standard=1,expensive=1,ai=1"}
    with another_host(cloud, tmp_path_factory.mktemp("limited"), changes) as url:
        yield url


@named(LIMITED)
def test_limit(operation: Operation, limited: str, cloud: Stack, owner: TenantHandle) -> None:
    """The second call of a key in the minute is refused; each tenant's key here is new, operators share theirs."""
    fresh = stranger(cloud).client if operation.is_personal else cloud.key(owner.tenant_id).client
    key = (cloud.operator if operation.is_platform else fresh).headers
    tier = operation.entry["rate"]
    answers = [operation.send(limited, key) for _ in range(2)]
    if not operation.is_platform:
        assert answers[0].status_code != 429
        assert answers[0].headers["RateLimit"].startswith(f'"{tier}";r=0;t=')
    assert refusal(answers[1]) == (429, "rate_limited")
    assert (answers[1].json()["tier"], answers[1].json()["limit"]) == (tier, 1)
    assert 1 <= int(answers[1].headers["Retry-After"]) <= 60
    assert answers[1].headers["RateLimit-Policy"] == f'"{tier}";q=1;w=60'
    assert answers[1].headers["RateLimit"] == f'"{tier}";r=0;t={answers[1].headers["Retry-After"]}'


@pytest.fixture(scope="module")
def without_firestore(cloud: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The functions with nobody listening where Firestore should be."""
    changes = {"FIRESTORE_EMULATOR_HOST": f"127.0.0.1:{free_port()}"}
    with another_host(cloud, tmp_path_factory.mktemp("without-firestore"), changes) as url:
        yield url


WITHOUT_FIRESTORE = {"platform-service-status"}
"""Operations that answer without Firestore, and tell that it is away."""


def test_dependency_down(without_firestore: str, headers_for: Any) -> None:
    def called(operation: Operation) -> tuple[Operation, requests.Response]:
        return operation, operation.send(without_firestore, headers_for(operation), operation.route(nothing))

    private = [each for each in OPERATIONS if not each.entry["public"]]
    with ThreadPoolExecutor(16) as pool:
        for operation, answer in pool.map(called, private):
            if operation.name in WITHOUT_FIRESTORE:
                assert answer.json()["status"] == "unhealthy"
                continue
            assert refusal(answer) == (503, "dependency_unavailable"), (operation.name, answer.text)
            assert answer.json()["dependency"] == "firestore"
            assert int(answer.headers["Retry-After"]) >= 1
    for operation in OPERATIONS:
        if operation.entry["public"]:
            assert operation.send(without_firestore, {}).status_code == operation.bare_status


def test_every_refusal_is_documented(cloud: Stack, headers_for: Any) -> None:
    """Whatever status a mistake above leads to, the operation's part of the document has it."""
    for operation in OPERATIONS:
        responses = document()["paths"][operation.entry["path"]][operation.method.lower()]["responses"]
        expected = {"422"}
        if not operation.entry["public"]:
            expected |= {"401", "403", "429", "503"}
        if operation.media_type is not None:
            expected |= {"400", "413", "415"}
        if operation.parameters:
            expected.add("404")
        if operation.entry["if_match"] == "required":
            expected |= {"412", "428"}
        assert expected <= responses.keys(), operation.name
        headers = {} if operation.entry["public"] else headers_for(operation)
        answer = operation.send(cloud.url, headers, query={"no such": "1"})
        assert str(problem_of(answer)["status"]) in responses
