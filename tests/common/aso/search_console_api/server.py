"""A server that answers as the Search Console API does: grouping, paging, final data, properties, quota, and faults."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import unquote

Fault = Literal["quota", "rate", "load_429", "reset", "half", "error", "nonsense", "unauthorized"]
NAMES = ("query", "page", "device", "country")


@dataclass(frozen=True)
class Shown:
    """What Search Console counted; a search that is too rare to be told has no ``query``."""

    day: str
    query: str | None
    page: str
    clicks: int
    impressions: int
    position: float = 3.0
    device: str = "MOBILE"
    country: str = "usa"

    def key(self, dimensions: Sequence[str]) -> tuple[str, ...]:
        named = {"date": self.day, **{name: getattr(self, name) for name in NAMES}}
        return tuple(str(named[name]) for name in dimensions)


@dataclass
class SearchConsoleServer:
    """The state of the server; tests change it between calls.

    Attributes:
        properties: What there is, by property; others are not verified.
        final_until: Last day that is final.
        faults: How the next calls go wrong.
        quota: Calls that are left before the load quota is used up; None: endless.
        calls: Bodies of the calls that were answered with rows.
        asked: All calls.
        url: Where it listens.
    """

    properties: dict[str, list[Shown]] = field(default_factory=dict)
    final_until: str = "9999-12-31"
    faults: deque[Fault] = field(default_factory=deque)
    quota: int | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    url: str = ""

    def answer(self, site: str, body: Mapping[str, Any]) -> tuple[int, Any, dict[str, str]]:
        """Return status, body and headers."""
        self.asked += 1
        if site not in self.properties:
            text = f"User does not have sufficient permission for site '{site}'."
            return 403, _error(403, "forbidden", text), {}
        if self.quota is not None:
            if self.quota <= 0:
                return 403, _error(403, "quotaExceeded", "Search Analytics load quota exceeded."), {}
            self.quota -= 1
        if body["startDate"] > body["endDate"] or not 1 <= body["rowLimit"] <= 25_000:
            return 400, _error(400, "invalidParameter", "startDate is after endDate"), {}
        self.calls.append(dict(body))
        return 200, self._rows(site, body), {}

    def _rows(self, site: str, body: Mapping[str, Any]) -> dict[str, Any]:
        dimensions = body["dimensions"]
        sums: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0, 0, 0])
        for shown in self.properties[site]:
            told = shown.day <= self.final_until or body["dataState"] != "final"
            rare = "query" in dimensions and shown.query is None
            if told and not rare and body["startDate"] <= shown.day <= body["endDate"]:
                found = sums[shown.key(dimensions)]
                found[0] += shown.clicks
                found[1] += shown.impressions
                found[2] += shown.position * shown.impressions
        ordered = sorted(sums.items(), key=lambda item: (-item[1][0], item[0]))
        page = ordered[body["startRow"] : body["startRow"] + body["rowLimit"]]
        rows = [
            {
                "keys": list(keys),
                "clicks": float(clicks),
                "impressions": float(impressions),
                "ctr": clicks / impressions if impressions else 0.0,
                "position": weighted / impressions if impressions else 0.0,
            }
            for keys, (clicks, impressions, weighted) in page
        ]
        # Without rows the API leaves the member out.
        return {"responseAggregationType": "byPage", **({"rows": rows} if rows else {})}


def _error(code: int, reason: str, message: str) -> dict[str, Any]:
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return {"error": {"code": code, "message": message, "errors": errors}}


SPOILED: Mapping[Fault, tuple[int, str]] = {
    "quota": (403, "quotaExceeded"),
    "rate": (403, "userRateLimitExceeded"),
    "load_429": (429, "quotaExceeded"),
    "error": (503, "backendError"),
    "unauthorized": (401, "authError"),
}


def _handler(server: SearchConsoleServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            parts = self.path.split("/")
            if parts[:4] != ["", "webmasters", "v3", "sites"] or parts[5:] != ["searchAnalytics", "query"]:
                self._send(404, b"{}")
                return
            fault = server.faults.popleft() if server.faults else None
            if fault is not None and fault in SPOILED:
                server.asked += 1
                code, reason = SPOILED[fault]
                self._send(code, json.dumps(_error(code, reason, reason)).encode())
                return
            status, answer, headers = server.answer(unquote(parts[4]), body)
            content = json.dumps(answer).encode()
            if fault == "nonsense":
                content = b"<html>proxy</html>"
            self._send(status, content, headers, fault)

        def _send(
            self, status: int, content: bytes, headers: Mapping[str, str] | None = None, fault: Fault | None = None
        ) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json; charset=UTF-8")
            self.send_header("content-length", str(len(content)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if fault in {"reset", "half"}:
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                if fault == "reset":
                    # Closing with unsent data discarded resets the connection instead of ending it.
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def search_console() -> Iterator[SearchConsoleServer]:
    """Run the server until the block ends."""
    state = SearchConsoleServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
