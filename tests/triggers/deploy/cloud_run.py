"""A server that answers like Cloud Run's Admin API, Cloud Monitoring and every function, with faults on demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PARENT = "projects/demo-project/locations/us-central1"


@dataclass
class CloudRun:
    """The services, as the interface shows them.

    Attributes:
        address: Where it is.
        services: By name.
        requests: Every request: method, path with query, body, headers.
        broken: Statuses with which the next requests of a method are answered; 0 ends the connection.
        unready: Revisions that never become ready.
        answers: Status, content type by path of a function; 403 for all others.
        series: What Monitoring answers.
    """

    address: str = ""
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, Any, dict[str, str]]] = field(default_factory=list)
    broken: dict[str, list[int]] = field(default_factory=dict)
    unready: set[str] = field(default_factory=set)
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    series: list[dict[str, Any]] = field(default_factory=list)
    operations: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def deploy(self, name: str) -> None:
        """Make a new revision, which gets no traffic unless it is the first."""
        service = self.services.get(name)
        number = 1 if service is None else int(service["latestCreatedRevision"].rpartition("-")[2]) + 1
        revision = f"{PARENT}/services/{name}/revisions/{name}-{number:05d}"
        if service is None:
            latest = {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}
            service = {"name": f"{PARENT}/services/{name}", "uri": f"{self.address}/at/{name}", "traffic": [latest]}
            self.services[name] = service
        elif service["traffic"][0]["type"].endswith("LATEST"):
            old = service["latestCreatedRevision"].rpartition("/")[2]
            service["traffic"] = [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": old, "percent": 100}]
        service["latestCreatedRevision"] = revision
        self._changed(service)

    def _changed(self, service: dict[str, Any]) -> None:
        service["etag"] = f'"{int(str(service.get("etag", 0)).strip(chr(34))) + 1}"'
        service["trafficStatuses"] = [
            {**target, "uri": service["uri"] + "/" + target["tag"]}
            for target in service["traffic"]
            if target.get("tag")
        ]

    def shares(self, name: str) -> dict[str, int]:
        """Return the traffic of a service by number of revision."""
        return {each["revision"].rpartition("-")[2]: each["percent"] for each in self.services[name]["traffic"]}

    def answer(self, method: str, target: str, body: Any) -> tuple[int, str, Any]:
        """Return status, content type and body."""
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if path.startswith("/at/"):
            status, kind = self.answers.get(path, (403, "text/html"))
            return status, kind, "{}"
        if path.endswith("/timeSeries"):
            return 200, "application/json", {"timeSeries": self.series}
        _, _, name = path.partition("/services/")
        if "/revisions/" in name:
            state = "CONDITION_FAILED" if name.rpartition("/")[2] in self.unready else "CONDITION_SUCCEEDED"
            return 200, "application/json", {"conditions": [{"type": "Ready", "state": state, "message": "it crashed"}]}
        if "/operations/" in path:
            return 200, "application/json", {"name": path, "done": True, "response": {}}
        if path.endswith("/services"):
            return 200, "application/json", self._page(query)
        if name not in self.services:
            return 404, "application/json", {"error": {"message": "no such service"}}
        if method == "PATCH":
            return self._patch(self.services[name], query, body)
        return 200, "application/json", self.services[name]

    def _page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        names = sorted(self.services)
        begin = int(query.get("pageToken", ["0"])[0] or 0)
        page = {"services": [self.services[name] for name in names[begin : begin + 2]]}
        return page | ({"nextPageToken": str(begin + 2)} if begin + 2 < len(names) else {})

    def _patch(self, service: dict[str, Any], query: dict[str, list[str]], body: Any) -> tuple[int, str, Any]:
        if query.get("updateMask") != ["traffic"] or sum(each["percent"] for each in body["traffic"]) != 100:
            return 400, "application/json", {"error": {"message": "traffic is 100 %"}}
        if body["etag"] != service["etag"]:
            return 409, "application/json", {"error": {"message": "the service was changed meanwhile"}}
        service["traffic"] = body["traffic"]
        self._changed(service)
        self.operations += 1
        return 200, "application/json", {"name": f"{PARENT}/operations/{self.operations}", "done": False}


class _Handler(BaseHTTPRequestHandler):
    cloud: CloudRun

    def _serve(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        with self.cloud.lock:
            self.cloud.requests.append((self.command, self.path, body, dict(self.headers)))
            waiting = self.cloud.broken.get(self.command, [])
            fault = waiting.pop(0) if waiting else None
            if fault == 0:
                self.cloud.answer(self.command, self.path, body)  # it takes effect, and the answer is lost
                self.close_connection = True
                return
            said: tuple[int, str, Any] = (fault or 0, "application/json", {"error": {"message": "try again"}})
            status, kind, answer = said if fault else self.cloud.answer(self.command, self.path, body)
        content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - names of the standard library

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the standard library has it
        """Be quiet."""


@contextmanager
def cloud_run() -> Iterator[CloudRun]:
    """Start a server and stop it."""
    cloud = CloudRun()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cloud": cloud}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        cloud.address = f"http://127.0.0.1:{server.server_address[1]}"
        yield cloud
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
