"""The control side of the local cloud: a page at ``/_local`` and a small JSON interface behind it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from triggers.local.files import FileAnswer
from triggers.local.processes import LOOPBACK

Query = Mapping[str, str]


class BadCall(Exception):
    """A call of the control interface that cannot be done; the message says why."""


class Controlled(Protocol):
    """What the control server needs of the local cloud."""

    def status(self) -> dict[str, Any]:
        """Return the state of everything."""
        ...

    def metrics(self) -> str:
        """Return counts in the text format of Prometheus."""
        ...

    def page(self) -> str:
        """Return the page."""
        ...

    def deliveries(self, query: Query) -> list[dict[str, object]]:
        """Return the latest deliveries, newest first."""
        ...

    def tasks(self) -> dict[str, Any]:
        """Return queues with their tasks."""
        ...

    def file(self, path: tuple[str, ...], query: Query) -> FileAnswer:
        """Return the file that a signed link leads to."""
        ...

    def command(self, path: tuple[str, ...], query: Query) -> dict[str, Any]:
        """Do what a POST asks for."""
        ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    cloud: Controlled


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        """Show."""
        path, query = self._target()
        if path[:1] == ("files",):
            self._send(self.server.cloud.file(path[1:], query))
            return
        views: dict[tuple[str, ...], Callable[[], tuple[str, str]]] = {
            (): lambda: ("text/html; charset=utf-8", self.server.cloud.page()),
            ("status",): lambda: _json(self.server.cloud.status()),
            ("deliveries",): lambda: _json({"deliveries": self.server.cloud.deliveries(query)}),
            ("tasks",): lambda: _json({"queues": self.server.cloud.tasks()}),
            ("metrics",): lambda: ("text/plain; version=0.0.4; charset=utf-8", self.server.cloud.metrics()),
        }
        view = views.get(path)
        if view is None:
            self._answer(HTTPStatus.NOT_FOUND, *_json({"detail": "no such view"}))
        else:
            self._answer(HTTPStatus.OK, *view())

    def do_POST(self) -> None:
        """Do."""
        length = int(self.headers.get("content-length") or 0)
        self.rfile.read(length)
        path, query = self._target()
        origin = self.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != self.headers.get("host"):
            # Any page open in the developer's browser could otherwise post here.
            self._answer(HTTPStatus.FORBIDDEN, *_json({"detail": "called from another origin"}))
            return
        try:
            answer = self.server.cloud.command(path, query)
        except BadCall as problem:
            self._answer(HTTPStatus.BAD_REQUEST, *_json({"detail": str(problem)}))
            return
        if "text/html" in (self.headers.get("accept") or ""):
            self.send_response(HTTPStatus.SEE_OTHER)
            self.send_header("location", "/_local")
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            self._answer(HTTPStatus.ACCEPTED, *_json(answer))

    def _target(self) -> tuple[tuple[str, ...], dict[str, str]]:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        return tuple(part for part in parts.path.split("/") if part)[1:], query

    def _answer(self, status: HTTPStatus, content_type: str, text: str) -> None:
        self._send(FileAnswer(status=status, content=text.encode(), headers={"content-type": content_type}))

    def _send(self, answer: FileAnswer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.content)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(answer.content)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Stay silent."""


def _json(value: Any) -> tuple[str, str]:
    return "application/json", json.dumps(value, default=str, indent=1)


class ControlServer:
    """Serves a ``Controlled`` on a port of the loopback interface."""

    def __init__(self, cloud: Controlled, port: int) -> None:
        self._server = _Server((LOOPBACK, port), _Handler)
        self._server.cloud = cloud
        self._thread = threading.Thread(target=self._server.serve_forever, name="control", daemon=True)

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()
