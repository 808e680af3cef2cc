"""The public operations: health, the OpenAPI document and the page that shows it, at both of their addresses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from werkzeug.test import Client

from common.version import VERSION
from triggers.docs_page import PAGE_FILE
from triggers.openapi import OPENAPI_FILE

Serve = Callable[[str], Client]


@pytest.mark.parametrize("path", ["/", "/v1/health"])
def test_health_answers_without_a_credential(serve: Serve, path: str) -> None:
    answer = serve("health").get(path)
    assert answer.status_code == 200
    assert answer.get_json() == {"status": "ok", "version": VERSION}


@pytest.mark.parametrize("path", ["/", "/v1/openapi.json"])
def test_openapi_document_is_served_as_committed(serve: Serve, path: str) -> None:
    answer = serve("openapi").get(path)
    assert answer.status_code == 200
    assert answer.data == OPENAPI_FILE.read_bytes()
    assert answer.headers["Content-Type"] == "application/json"
    assert "Content-Disposition" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/v1/docs"])
def test_page_is_shown_in_place_and_may_load_nothing(serve: Serve, path: str) -> None:
    answer = serve("docs").get(path)
    assert answer.status_code == 200
    assert answer.data == PAGE_FILE.read_bytes()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Content-Disposition" not in answer.headers
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; connect-src ")


@pytest.mark.parametrize(("operation", "path"), [("openapi", "/v1/openapi.json"), ("docs", "/v1/docs")])
def test_what_a_browser_has_is_not_sent_again(serve: Serve, operation: str, path: str) -> None:
    client = serve(operation)
    first = client.get(path)
    assert first.headers["Cache-Control"] == "public, max-age=300"
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_other_methods_and_parameters_are_refused(serve: Serve) -> None:
    client = serve("health")
    assert client.post("/").status_code == 405
    assert client.get("/?checks=true").status_code == 422
