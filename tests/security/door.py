"""Every function as it answers in production, inside this process: signatures count, certificates are a test's own.

The settings are those of the cloud (``XYNERGY_ENVIRONMENT=cloud``, no emulator named), the applications are the
framework's, found by the same router as locally; only the stores behind them are those of the running local cloud, so
that its tenants, keys and people are known. Calls take no socket, hence tens of thousands of them are affordable.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import firebase_admin
import pytest
import requests
from firebase_admin import auth as firebase_auth
from google.auth.transport.requests import Request
from requests.structures import CaseInsensitiveDict

from common.clients.firebase import firebase_app
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from tests.common.google import Google
from tests.operations import Operation
from tests.stack import Stack
from triggers.local.functions import read_manifest
from triggers.local.host import permitted
from triggers.local.router import Router


class Door:
    """Where requests enter.

    Attributes:
        google: Signs what the functions believe.
        clients: What the functions work with.
        log: Every line that functions have written since it was last emptied.
    """

    def __init__(self, stack: Stack, google: Google) -> None:
        self.google = google
        settings = dataclasses.replace(
            stack.settings,
            environment="cloud",
            emulators=(),
            fetch_loopback=False,
            # Everybody knocks from one address: the gate against guessing and the rate limits have tests of their own.
            rate_limits=tuple((tier, 10_000_000) for tier, _ in stack.settings.rate_limits),
        )
        self.clients = Clients(settings)
        self.clients.replace(firestore_client, stack.clients.get(firestore_client))
        firebase_auth._get_client(self.clients.get(firebase_app))._token_verifier.request = google
        self.log = io.StringIO()
        self._router = Router(read_manifest(), functools.partial(permitted, process=self.clients), _no_control)
        self._bodies: dict[str, tuple[str, bytes]] = {}

    def send(
        self, operation: Operation, headers: Mapping[str, str], path: str | None = None, *, query: str = ""
    ) -> requests.Response:
        """Call an operation with the example of its body."""
        kind, content = self._body(operation)
        sent = {**headers, "Content-Type": kind} if kind else dict(headers)
        if operation.entry.get("if_match") == "required":
            sent.setdefault("If-Match", "*")
        return self.call(operation.method, path or operation.route(), sent, content, query)

    def call(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes = b"", query: str = ""
    ) -> requests.Response:
        """Send a request; return the answer as a client over a socket would see it."""
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "functions.example",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(content),
            "wsgi.errors": self.log,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "CONTENT_LENGTH": str(len(content)),
        }
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        answer = requests.Response()
        answer.encoding = "utf-8"

        def start(status: str, fields: list[tuple[str, str]], _error: Any = None) -> None:
            answer.status_code = int(status[:3])
            answer.headers = CaseInsensitiveDict(fields)

        with contextlib.redirect_stdout(self.log):
            answer._content = b"".join(self._router(environ, start))
        return answer

    def written(self) -> str:
        """Return the lines written so far, and begin anew."""
        lines = self.log.getvalue()
        self.log.seek(0)
        self.log.truncate()
        return lines

    def close(self) -> None:
        """Forget the app of Firebase, which its library keeps for the whole process."""
        firebase_admin.delete_app(self.clients.get(firebase_app))

    def _body(self, operation: Operation) -> tuple[str, bytes]:
        known = self._bodies.get(operation.name)
        if known is None:
            kind, example = operation.media_type, operation.example
            if kind == "application/json":
                known = kind, json.dumps(example).encode()
            else:
                known = kind or "", example.encode() if isinstance(example, str) else example or b""
            self._bodies[operation.name] = known
        return known


def _no_control(_environ: dict[str, Any], _start: Any) -> list[bytes]:
    raise AssertionError("nobody asks for the local cloud's own pages here")


def _transport(google: Google) -> type[Request]:
    """Return the transport that the verifier of deliveries makes for itself, with the certificates of a test."""

    class Transport(Request):  # type: ignore[misc]
        def __call__(self, url: str, *positional: Any, **named: Any) -> Any:
            return (google if "/certs" in url else super().__call__)(url, *positional, **named)

    return Transport


@contextlib.contextmanager
def opened(stack: Stack) -> Iterator[Door]:
    """Serve every function in this process as in production, until the end of the block."""
    door = Door(stack, Google())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("google.auth.transport.requests.Request", _transport(door.google))
        try:
            yield door
        finally:
            door.close()
