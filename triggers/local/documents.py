"""Firestore's document events, as Eventarc delivers them in production.

The emulator posts events one after the other, once, with a base64 body and a wrong source, and also for writes that
changed nothing. This adapter takes them at once and delivers them as production does: concurrently, in no order,
retried for 24 hours, never for a write without effect.
"""

from __future__ import annotations

import base64
import json
import threading
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.events.cloud.firestore_v1.types import DocumentEventData

from triggers.local.deliveries import Call, Delivery, Dispatcher, Policy
from triggers.local.functions import Document, LocalFunction, declared
from triggers.local.identity import Addresses
from triggers.local.processes import LOOPBACK

DAY = 86_400.0
POLICY = Policy(minimum=10, maximum=600, lifetime=DAY)
EVENT_TYPE = "google.cloud.firestore.document.v1."


def is_without_effect(body: bytes) -> bool:
    """Tell whether an event's document is the same before and after; production fires nothing for such a write."""
    event = DocumentEventData.pb(DocumentEventData.deserialize(body))
    both = event.HasField("value") and event.HasField("old_value")
    return bool(both and event.value.fields == event.old_value.fields)


def production_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the CloudEvent headers as Eventarc sends them: the emulator doubles ``projects/`` in the source."""
    found = {name.lower(): value for name, value in headers.items() if name.lower().startswith("ce-")}
    found["ce-source"] = found.get("ce-source", "").replace("/projects/projects/", "/projects/")
    return {**found, "content-type": "application/protobuf", "user-agent": "APIs-Google"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    gateway: DocumentGateway


class _Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        """Take one event of the emulator."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urllib.parse.unquote(self.path).strip("/").split("/")
        # functions/projects/<project>/triggers/<function>
        self.server.gateway.accept(parts[2], parts[-1], dict(self.headers.items()), base64.b64decode(body))
        self.send_response(HTTPStatus.ACCEPTED)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Stay silent: the dispatcher remembers every delivery."""


class DocumentGateway:
    """Registers the document functions with the emulator and hands its events to the dispatcher."""

    def __init__(
        self,
        *,
        functions: list[LocalFunction],
        project: str,
        firestore: str,
        port: int,
        dispatcher: Dispatcher,
        addresses: Addresses,
        retry_scale: float,
    ) -> None:
        self._functions = {function.name: declaration for function, declaration in declared(functions, Document)}
        self._project = project
        self._firestore = firestore
        self._dispatcher = dispatcher
        self._addresses = addresses
        self._policy = POLICY.scaled(retry_scale)
        self._server = _Server((LOOPBACK, port), _Receiver)
        self._server.gateway = self
        self._thread = threading.Thread(target=self._server.serve_forever, name="document-events", daemon=True)

    def start(self) -> None:
        """Listen for events, then have the emulator send them."""
        self._thread.start()
        for name, declaration in self._functions.items():
            self._dispatcher.lane(name, concurrency=min(32, declaration.concurrency * declaration.max_instances))
            self._register(name, declaration)

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def _register(self, name: str, declaration: Document) -> None:
        match = "PATH_PATTERN" if "{" in declaration.path else "EXACT"
        trigger = {
            "eventType": EVENT_TYPE + declaration.change,
            "database": "(default)",
            "namespace": "(default)",
            "document": {"value": declaration.path, "matchType": match},
        }
        query = urllib.parse.urlencode({"eventarcTriggerId": name})
        url = f"http://{self._firestore}/emulator/v1/projects/{self._project}/eventarcTrigger?{query}"
        request = urllib.request.Request(
            url, data=json.dumps(trigger).encode(), headers={"content-type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=10):
            pass

    def accept(self, project: str, name: str, headers: Mapping[str, str], body: bytes) -> None:
        """Queue one event of the emulator, unless it is another project's or without effect."""
        declaration = self._functions.get(name)
        if project != self._project or declaration is None or is_without_effect(body):
            return
        fixed = production_headers(headers)

        def compose(_delivery: Delivery) -> Call:
            token = self._addresses.authorization(name)
            return Call(url=self._addresses.url(name), headers={**fixed, "authorization": token}, body=body)

        self._dispatcher.submit(
            Delivery(
                function=name,
                kind="document",
                identity=fixed.get("ce-id", ""),
                compose=compose,
                policy=self._policy,
                timeout=declaration.timeout,
            )
        )
