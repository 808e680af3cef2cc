"""The token that calls of the API carry in the cloud: asked of the metadata server, for reading alone, and kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from common.aso.search_console_api.authorization import SCOPE, Nobody, ServiceAccount, service_account
from common.errors import Unavailable
from common.settings import Settings


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A metadata server as Cloud Run has it; what it is asked for."""
    paths: list[str] = []

    class Metadata(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            url = urlsplit(self.path)
            if url.path.endswith("/token"):
                scopes = parse_qs(url.query)["scopes"][0]
                body = json.dumps({"access_token": f"token-{len(paths)}-{scopes}", "expires_in": 3599})
            elif url.path.endswith("/project-id"):
                body = "demo"
            elif url.path.endswith("/universe-domain"):
                body = "googleapis.com"
            else:
                body = json.dumps({"email": "sync@demo.iam.gserviceaccount.com", "scopes": [SCOPE], "aliases": []})
            self.send_response(200)
            self.send_header("Metadata-Flavor", "Google")
            self.send_header("content-type", "application/json" if body.startswith("{") else "application/text")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    host = f"127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr("google.auth.compute_engine._metadata._GCE_METADATA_HOST", host)
    monkeypatch.setenv("GCE_METADATA_IP", host)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/nonexistent")
    yield paths
    server.shutdown()
    server.server_close()


def test_the_token_is_for_reading_search_console_alone(asked: list[str]) -> None:
    account = ServiceAccount()
    headers = account.headers()
    assert headers["authorization"].startswith("Bearer token-")
    assert headers["authorization"].endswith(SCOPE)
    tokens = len([path for path in asked if "/token" in path])
    assert account.headers() == headers, "one token serves until it expires"
    assert len([path for path in asked if "/token" in path]) == tokens == 1


def test_without_a_token_the_work_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("google.auth.compute_engine._metadata._NO_GCE_CHECK", True)
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/nonexistent")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(Unavailable) as away:
        ServiceAccount().headers()
    assert away.value.dependency == "search_console"


def test_the_local_cloud_calls_as_nobody() -> None:
    assert isinstance(service_account(Settings(environment="local", project="demo")), Nobody)
    assert isinstance(service_account(Settings(environment="cloud", project="demo")), ServiceAccount)
    assert Nobody().headers() == {}
