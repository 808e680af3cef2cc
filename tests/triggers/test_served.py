"""Names, registration and both ways into a function."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import flask
import functions_framework
import pytest
from functions_framework import _function_registry as registry
from werkzeug.test import Client, TestResponse

from common.context import Context
from common.deliveries import MessageDelivery
from common.errors import ConfigurationError
from common.model import Model
from tests.triggers.serving import FIXTURES, Function
from triggers import http, message, task
from triggers.declaration import Http, Message
from triggers.served import function_name

Load = Callable[[str], Function]


class Body(Model):
    name: str


def source(code: str, file: str = "/srv/functions/demo/note_make.py") -> Any:
    """Return the handler ``note_make`` as if it stood in a file."""
    names: dict[str, Any] = {"Body": Body, "Context": Context, "MessageDelivery": MessageDelivery, "uuid": uuid}
    exec(compile(code, file, "exec"), names)
    return names["note_make"]


class TestNames:
    @pytest.mark.parametrize(
        "file",
        [
            "functions/aso/note_make.py",
            "/workspace/functions/aso/note_make.py",
            "/a/functions/b/functions/aso/note_make.py",
        ],
    )
    def test_the_name_comes_from_the_file(self, file: str) -> None:
        assert function_name(source("def note_make(): ...", file)) == "aso-note-make"

    @pytest.mark.parametrize(
        "file", ["note_make.py", "/srv/note_make.py", "functions/note_make.py", "functions/aso/other.py"]
    )
    def test_anywhere_else_is_refused(self, file: str) -> None:
        with pytest.raises(ConfigurationError, match="note_make"):
            function_name(source("def note_make(): ...", file))


class TestDecorators:
    def test_the_function_carries_what_it_is(self) -> None:
        served = http.get("/v1/demo/{note_id}", scope="demo:read")(source("def note_make(note_id: uuid.UUID): ..."))
        assert served.name == "demo-note-make"
        assert served.declaration == Http(method="GET", path="/v1/demo/{note_id}", scope="demo:read")
        assert served.handler(uuid.uuid4()) is None
        assert vars(served)["name"] == served.name

    def test_every_kind_has_the_http_signature(self) -> None:
        served = message.subscribe("demo-events")(source("def note_make(message: MessageDelivery): ..."))
        assert served.declaration == Message(topic="demo-events")
        assert registry.get_func_signature_type("note_make", None) == "http"

    @pytest.mark.parametrize(
        ("parameters", "named"),
        [
            ("note_id: uuid.UUID, other: str", "other"),
            ("note_id: int", "note_id"),
            ("note_id", "note_id"),
            ("note_id: uuid.UUID, *more: str", "more"),
            ("note_id: uuid.UUID, body: Missing", "Missing"),
            ("context: Context", "note_id"),
            ("note_id: uuid.UUID, query: str", "query"),
            ("note_id: uuid.UUID, upload: bytes", "upload"),
        ],
    )
    def test_what_cannot_be_bound_is_refused_at_once(self, parameters: str, named: str) -> None:
        handler = source(f"from __future__ import annotations\ndef note_make({parameters}): ...")
        with pytest.raises(ConfigurationError, match=f"note_make.*{named}"):
            http.post("/v1/demo/{note_id}", scope="demo:write")(handler)

    def test_events_give_only_their_own(self) -> None:
        with pytest.raises(ConfigurationError, match="message"):
            task.handler()(source("def note_make(message: MessageDelivery): ..."))

    def test_a_task_takes_a_body_a_message_does_not(self) -> None:
        task.handler()(source("def note_make(body: Body): ..."))
        with pytest.raises(ConfigurationError, match="body"):
            message.subscribe("demo-events")(source("def note_make(body: Body): ..."))


@pytest.fixture(scope="module")
def both(function: Load) -> Callable[[str], tuple[Client, Client]]:
    """Return clients of one function: on the direct path, and through the whole of Flask."""

    def clients(operation: str) -> tuple[Client, Client]:
        direct = function(operation)
        whole = functions_framework.create_app(operation, str(FIXTURES / f"{operation}.py"))
        whole.wsgi_app = flask.Flask.wsgi_app.__get__(whole)
        return direct.client, whole.test_client()

    return clients


def essence(answer: TestResponse) -> tuple[int, bytes, dict[str, str]]:
    """Return what must be the same on both paths."""
    return answer.status_code, answer.data, dict(answer.headers)


class TestBothPaths:
    """The direct path answers as the framework does."""

    @pytest.mark.parametrize(
        ("operation", "method", "path", "content"),
        [
            ("note_list", "GET", "/?limit=1", b""),
            ("note_list", "GET", "/v1/demo/notes?limit=1", b""),
            ("note_list", "HEAD", "/?limit=1", b""),
            ("note_list", "OPTIONS", "/", b""),
            ("note_list", "POST", "/", b"{}"),
            ("note_list", "GET", "/nowhere", b""),
            ("note_figures", "GET", "/gr%C3%BC%C3%9Fe", b""),
            ("note_export", "GET", "/", b""),
            ("note_export", "HEAD", "/", b""),
            ("note_create", "POST", "/", b'{"name": 1}'),
            ("note_create", "POST", "/", b'{"name": '),
            ("note_create", "POST", "/", b"x" * 5000),
            ("note_faults", "GET", "/?kind=none", b""),
            ("note_faults", "GET", "/?kind=crash", b""),
        ],
    )
    def test_the_same_answer(
        self, both: Any, key: dict[str, str], operation: str, method: str, path: str, content: bytes
    ) -> None:
        direct, whole = both(operation)
        headers = {**key, "X-Request-ID": "same", "Content-Type": "application/json"}
        for client in (direct, whole):  # the first call of a cached read fills the cache
            client.open(path, method=method, headers=headers, data=content)
        one = direct.open(path, method=method, headers=headers, data=content)
        other = whole.open(path, method=method, headers=headers, data=content)
        for answer in (one, other):
            answer.headers.pop("RateLimit", None)
        assert essence(one) == essence(other)
        assert one.headers["X-Request-ID"] == "same"

    def test_the_direct_path_is_taken(self, function: Load) -> None:
        app: Any = function("note_list").client.application
        assert app.wsgi_app.__module__ == "triggers.served"

    def test_only_by_the_application_of_the_function(self) -> None:
        app = flask.Flask("another")
        before = app.wsgi_app
        with app.app_context():
            http.get("/v1/demo", public=True)(source("def note_make(): ..."))
        assert app.wsgi_app == before
