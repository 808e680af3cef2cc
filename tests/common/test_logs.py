"""Log lines as Cloud Logging reads them, without secrets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from common import logs
from common.clients.registry import Clients
from common.context import Context, Principal, Trace
from common.settings import Settings

TRACE = Trace(trace_id="0af7651916cd43dd8448eb211c80319c", span_id="b7ad6b7169203331", sampled=True)


def settings(log_format: str) -> Settings:
    return Settings.from_environment(
        {"XYNERGY_ENVIRONMENT": "local", "GOOGLE_CLOUD_PROJECT": "demo-logs", "XYNERGY_LOG_FORMAT": log_format}
    )


def context(log_format: str = "json") -> Context:
    return Context(
        function="aso-content-create",
        tenant_id="acme",
        principal=Principal(kind="key", id="key-1", tenant_id="acme"),
        clients=Clients(settings(log_format)),
        request_id="req-1",
        trace=TRACE,
    )


@pytest.fixture(autouse=True)
def _configuration() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    logs.configure(settings("json"))

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return read


def test_a_line_has_the_fields_of_cloud_logging(lines: Any) -> None:
    logs.logger(context()).warning("cache is down", namespace="aso_stats")
    [line] = lines()
    moment = line.pop("time")
    assert moment.endswith("Z")
    assert line == {
        "severity": "WARNING",
        "message": "cache is down",
        "namespace": "aso_stats",
        "function": "aso-content-create",
        "request_id": "req-1",
        "correlation_id": "req-1",
        "tenant_id": "acme",
        "logging.googleapis.com/trace": f"projects/demo-logs/traces/{TRACE.trace_id}",
        "logging.googleapis.com/spanId": TRACE.span_id,
        "logging.googleapis.com/trace_sampled": True,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", "Bearer x"),
        ("X-API-Key", "xyn_secret"),
        ("api_key", "xyn_secret"),
        ("client_secret", "x"),
        ("refresh_token", "x"),
        ("Password", b"x"),
        ("set-cookie", ["x"]),
        ("credentials", {"a": "x"}),
    ],
)
def test_secrets_are_masked_at_any_depth(lines: Any, name: str, value: object) -> None:
    logs.logger(context()).info("flat", **{name: value})
    logs.logger(context()).info("deep", headers={name: value, "accept": "x"}, rows=[{"inner": {name: value}}])
    flat, deep = lines()
    assert flat[name] == "***"
    assert deep["headers"] == {name: "***", "accept": "x"}
    assert deep["rows"] == [{"inner": {name: "***"}}]


def test_counts_of_tokens_are_no_secret(lines: Any) -> None:
    logs.logger(context()).info("answered", input_tokens=7, token_share=0.5)
    [line] = lines()
    assert (line["input_tokens"], line["token_share"]) == (7, 0.5)


def test_a_stack_is_in_the_message(lines: Any) -> None:
    try:
        int("no")
    except ValueError as error:
        logs.logger(context()).error("it failed", exc_info=error)
    [line] = lines()
    assert line["severity"] == "ERROR"
    assert line["message"].startswith("it failed\nTraceback (most recent call last):")
    assert line["message"].rstrip().endswith("invalid literal for int() with base 10: 'no'")
    assert "exc_info" not in line


def test_what_is_no_json_is_written_as_text(lines: Any) -> None:
    logs.logger(context()).info("odd", what=TRACE)
    assert "0af7651916cd43dd8448eb211c80319c" in lines()[0]["what"]


def test_lines_of_threads_do_not_mix(lines: Any) -> None:
    logger = logs.logger(context())

    def write() -> None:
        for number in range(50):
            logger.info("x" * 500, number=number)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(line["number"] for line in lines()) == sorted(list(range(50)) * 4)


def test_the_line_of_a_request(lines: Any) -> None:
    fields = {"function": "f", "status": 503, "latency_ms": 12.5, "cache": None}
    logs.request_line("GET", "/a", fields, b"12345", TRACE, settings("json"))
    [line] = lines()
    assert line["severity"] == "ERROR"
    assert line["message"] == "GET /a 503"
    assert "cache" not in line
    assert line["httpRequest"] == {
        "requestMethod": "GET",
        "requestUrl": "/a",
        "status": 503,
        "latency": "0.012500s",
        "responseSize": "5",
    }


def test_the_console_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(settings("console"))
    logs.logger(context("console")).info("created", api_key="xyn_secret")
    printed = capsys.readouterr().out
    assert "created" in printed
    assert "aso-content-create" in printed
    assert "xyn_secret" not in printed
    assert "googleapis" not in printed


@pytest.mark.parametrize(
    "name", ["X-Goog-IAP-JWT-Assertion", "client_assertion", "Cookie", "X-Serverless-Authorization"]
)
def test_headers_that_carry_credentials_are_secret(name: str) -> None:
    assert logs.is_secret(name)
    assert not logs.is_secret(name[:1] + "ordinary")
