"""Takes the Firestore emulator's document events and hands each to the gateway of its project.

The emulator posts to one address, given at its start, one event after the other; so it is answered at once.
"""

from __future__ import annotations

import base64
import threading
import urllib.parse
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from triggers.local.processes import LOOPBACK

Accept = Callable[[str, dict[str, str], bytes], None]
"""Takes the trigger's key, the headers and the decoded body of an event."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    gateways: dict[str, Accept]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        """Take one event, posted to ``/functions/projects/<project>/triggers/<key>``; the body is base64."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urllib.parse.unquote(self.path).strip("/").split("/")
        accept = self.server.gateways.get(parts[2])
        if accept is not None:
            accept(parts[-1], dict(self.headers.items()), base64.b64decode(body))
        self.send_response(HTTPStatus.ACCEPTED)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Stay silent: the dispatcher remembers every delivery."""


class DocumentEvents:
    """The server that the Firestore emulator posts to; lives as long as the emulator.

    Attributes:
        port: Its port.
    """

    def __init__(self) -> None:
        self._server = _Server((LOOPBACK, 0), _Handler)
        self._server.gateways = {}
        self.port = int(self._server.server_port)
        self._thread = threading.Thread(target=self._server.serve_forever, name="document-events", daemon=True)

    def start(self) -> None:
        """Listen, if it does not yet."""
        if not self._thread.is_alive():
            self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def connect(self, project: str, accept: Accept) -> None:
        """Hand a project's events to ``accept`` from now on."""
        self._server.gateways[project] = accept

    def disconnect(self, project: str) -> None:
        """Drop a project's events from now on."""
        self._server.gateways.pop(project, None)
