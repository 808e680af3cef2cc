"""The host's applications against the framework's own, and its routes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import functions_framework
import pytest
from werkzeug.test import Client

from triggers.declaration import Http, Message
from triggers.local.functions import LocalFunction, read_manifest, subscriptions, topics
from triggers.local.host import build_app
from triggers.local.router import Router, Routes, WsgiApp, choose

SAMPLE = Path(__file__).with_name("sample_function.py")
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/", {}),
    ("GET", "/a/b?x=1", {}),
    ("POST", "/", {"data": b"hello", "content_type": "text/plain"}),
    ("DELETE", "/a", {}),
    ("GET", "/robots.txt", {}),
    ("GET", "/crash", {}),
    ("POST", "/none", {}),
]


@pytest.mark.parametrize(("method", "path", "options"), REQUESTS)
def test_an_application_answers_as_the_frameworks_own(method: str, path: str, options: dict[str, Any]) -> None:
    entry = LocalFunction(
        name="sample-function",
        module="tests.triggers.local.sample_function",
        entry_point="sample_function",
        declaration=Http(method="GET", path="/sample"),
    )
    ours = Client(build_app(entry)).open(path, method=method, **options)
    theirs = Client(functions_framework.create_app("sample_function", str(SAMPLE))).open(path, method=method, **options)
    assert (ours.status_code, ours.data) == (theirs.status_code, theirs.data)
    assert dict(ours.headers) == dict(theirs.headers)


def http(name: str, method: str, path: str) -> LocalFunction:
    return LocalFunction(
        name=name,
        module="none",
        entry_point="none",
        declaration=Http(method=method, path=path),  # type: ignore[arg-type]
    )


FUNCTIONS = [
    http("thing-list", "GET", "/v1/things"),
    http("thing-get", "GET", "/v1/things/{thing_id}"),
    http("thing-delete", "DELETE", "/v1/things/{thing_id}"),
    http("thing-import", "POST", "/v1/things/import"),
    http("thing-parts", "GET", "/v1/things/{thing_id}/parts"),
    http("thing-stats", "GET", "/v1/things/stats"),
]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/things", "thing-list"),
        ("GET", "/v1/things/", "thing-list"),
        ("GET", "/v1/things/stats", "thing-stats"),
        ("GET", "/v1/things/other", "thing-get"),
        ("HEAD", "/v1/things/other", "thing-get"),
        ("DELETE", "/v1/things/other", "thing-delete"),
        ("POST", "/v1/things/import", "thing-import"),
        ("GET", "/v1/things/import/parts", "thing-parts"),
        ("PUT", "/v1/things/other", None),
        ("GET", "/v1/nothing", None),
        ("GET", "/", None),
    ],
)
def test_routes_find_the_function(method: str, path: str, expected: str | None) -> None:
    assert choose(Routes(FUNCTIONS).find(path), method, None) == expected


def test_a_preflight_goes_to_the_function_of_the_method_asked_for() -> None:
    methods = Routes(FUNCTIONS).find("/v1/things/x")
    assert choose(methods, "OPTIONS", "DELETE") == "thing-delete"
    assert choose(methods, "OPTIONS", None) == "thing-get"


def test_the_name_moves_out_of_the_path_at_the_function_url_only() -> None:
    def build(function: LocalFunction) -> WsgiApp:
        def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            start_response("200 OK", [])
            return [f"{function.name} {environ['SCRIPT_NAME']} {environ['PATH_INFO']}".encode()]

        return app

    event = LocalFunction(name="event-take", module="none", entry_point="none", declaration=Message(topic="t"))
    client = Client(Router([*FUNCTIONS, event], build, lambda _environ, _start: [b""]))
    assert client.get("/thing-get/x%2Fy").data == b"thing-get /thing-get /x/y"
    assert client.get("/v1/things/x").data == b"thing-get  /v1/things/x"
    assert client.post("/event-take").data == b"event-take /event-take /"
    assert client.get("/elsewhere").status_code == 404
    told = client.get("/elsewhere", headers={"X-Request-ID": "mine"})
    assert told.headers["X-Request-ID"] == told.get_json()["request_id"] == "mine"
    told = client.get("/elsewhere", headers={"X-Request-ID": "no id of ours"})
    assert told.headers["X-Request-ID"] == told.get_json()["request_id"] != "no id of ours"
    wrong = client.put("/v1/things/x")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "DELETE, GET, HEAD, OPTIONS")


def test_every_function_of_the_manifest_is_read() -> None:
    functions = read_manifest()
    assert {function.kind for function in functions} >= {"http"}
    assert len({function.name for function in functions}) == len(functions)
    known = set(topics(functions, ["aso"]))
    assert {subscription.topic for subscription in subscriptions(functions)} <= known
