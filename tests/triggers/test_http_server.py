"""A function under the framework's own server and command line, spoken to in raw HTTP."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from common.clients.registry import Clients
from tests.stack import wait_for
from tests.triggers.serving import FIXTURES
from triggers.local.processes import free_port


@pytest.fixture(scope="module")
def port(process: Clients) -> Iterator[int]:
    """Serve ``note_import`` as Cloud Run does, and return its port."""
    number = free_port()
    command = [sys.executable, "-m", "functions_framework", "--target", "note_import", "--port", str(number)]
    server = subprocess.Popen(
        [*command, "--source", str(FIXTURES / "note_import.py")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
    )

    def answers() -> bool:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", number, timeout=5)) as connection:
            try:
                connection.request("OPTIONS", "/")
                return connection.getresponse().status == 204
            except OSError:
                return False

    try:
        wait_for(answers, what="the server answers")
        yield number
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.fixture
def connection(port: int) -> Iterator[http.client.HTTPConnection]:
    """One connection, kept alive between requests."""
    opened = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    yield opened
    opened.close()


def test_a_body_without_announced_length(connection: http.client.HTTPConnection, key: dict[str, str]) -> None:
    chunks = iter([b"a,b\n", b"1,2\n"])
    connection.request("POST", "/", body=chunks, headers={**key, "Content-Type": "text/csv"}, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b'{"size":8,"content_type":"text/csv","filename":null}')


def test_too_large_a_body_without_announced_length(connection: http.client.HTTPConnection, key: dict[str, str]) -> None:
    chunks = (b"x" * 65_536 for _ in range(40))
    connection.request("POST", "/", body=chunks, headers={**key, "Content-Type": "text/csv"}, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"payload_too_large" in answer.read()


def test_a_refusal_before_the_body_is_read_leaves_the_connection_usable(
    connection: http.client.HTTPConnection, key: dict[str, str]
) -> None:
    connection.request("POST", "/", body=b"x" * 2_000_000, headers={"Content-Type": "text/csv"})
    refused = connection.getresponse()
    assert refused.status == 401
    refused.read()
    connection.request("POST", "/", body=b"a", headers={**key, "Content-Type": "text/csv"})
    assert connection.getresponse().status == 200


def test_an_answer_without_body_has_none(connection: http.client.HTTPConnection) -> None:
    for _ in range(2):
        connection.request("OPTIONS", "/")
        answer = connection.getresponse()
        assert (answer.status, answer.read(), answer.getheader("Content-Type")) == (204, b"", None)
