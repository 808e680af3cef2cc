"""The identity provider of the local cloud on a port, under the addresses of Firebase Auth's emulator."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from triggers.local.accounts import Accounts, Body, Rejected
from triggers.local.processes import LOOPBACK

TOOLKIT = "/identitytoolkit.googleapis.com"
_METHOD = re.compile(
    r"/identitytoolkit\.googleapis\.com/v1/(?:projects/(?P<project>[^/]+)/)?(?P<method>accounts(?::[A-Za-z]+)?)"
    r"|/securetoken\.googleapis\.com/v1/(?P<token>token)"
)
_CLEAR = re.compile(r"/emulator/v1/projects/(?P<project>[^/]+)/accounts")
LARGEST = 1_000_000
"""Bytes of a body."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    accounts: Accounts


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        """Say that somebody listens, as the emulator does."""
        self._answer(200, {"authEmulator": {"ready": True}})

    def do_POST(self) -> None:
        """Do."""
        body = self._body()
        found = _METHOD.fullmatch(urlsplit(self.path).path)
        if found is None:
            self._refuse(404, "NOT_FOUND")
            return
        is_owner = self.headers.get("authorization") == "Bearer owner"
        if found["project"] is not None and not is_owner:
            self._refuse(403, "PERMISSION_DENIED")
            return
        try:
            answer = self.server.accounts.call(found["method"] or found["token"], body, is_owner=is_owner)
        except Rejected as rejected:
            self._refuse(rejected.status, rejected.message)
        else:
            self._answer(200, answer)

    def do_DELETE(self) -> None:
        """Forget every account, as the emulator's own interface does."""
        self._body()
        if _CLEAR.fullmatch(urlsplit(self.path).path) is None:
            self._refuse(404, "NOT_FOUND")
            return
        self.server.accounts.clear()
        self._answer(200, {})

    def do_OPTIONS(self) -> None:
        """Let pages on this machine call."""
        self.send_response(204)
        for name, value in (("Methods", "GET, POST, DELETE"), ("Headers", "*")):
            self.send_header(f"Access-Control-Allow-{name}", value)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""

    def _body(self) -> Body:
        length = min(int(self.headers.get("content-length") or 0), LARGEST)
        content = self.rfile.read(length)
        if "x-www-form-urlencoded" in (self.headers.get("content-type") or ""):
            return {name: values[0] for name, values in parse_qs(content.decode()).items()}
        try:
            body = json.loads(content or b"{}")
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    def _refuse(self, status: int, message: str) -> None:
        reason = {"message": message, "reason": "invalid", "domain": "global"}
        self._answer(status, {"error": {"code": status, "message": message, "errors": [reason]}})

    def _answer(self, status: int, body: Body) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(content)


class AccountsServer:
    """``Accounts`` on a port.

    Attributes:
        port: Port it listens on.
    """

    def __init__(self, accounts: Accounts, port: int = 0) -> None:
        self._server = _Server((LOOPBACK, port), _Handler)
        self._server.accounts = accounts
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="accounts", daemon=True)

    @property
    def toolkit(self) -> str:
        """Address of the Identity Toolkit."""
        return f"http://{LOOPBACK}:{self.port}{TOOLKIT}"

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
