"""Providers of result pages for tests: a server that speaks their shapes, answers what is set, keeps what was asked."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

Mode = Literal["ok", "bad", "down", "quota", "refused", "html", "odd", "cut", "slow"]
KEYS = {
    "serpapi": "serpapi-key-of-tests",
    "dataforseo": "login-of-tests:password-of-tests",
    "serper": "serper-key-of-tests",
    "google_search": "google-key-of-tests:engine-of-tests",
}
PRICES = {"serpapi": 1000, "dataforseo": 200, "serper": 100, "google_search": 500}


@dataclass
class SerpServer:
    """The providers.

    Attributes:
        url: Where all of them are.
        results: Organic addresses by keyword; a keyword that is not in it has no results.
        modes: How a provider behaves; ``ok`` unless it says so.
        calls: Provider and keyword of each call, in order.
        queries: Everything that was asked, as the provider got it.
    """

    url: str = ""
    results: dict[str, list[str]] = field(default_factory=dict)
    modes: dict[str, Mode] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    queries: list[dict[str, Any]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        """Forget everything."""
        self.results.clear()
        self.modes.clear()
        self.calls.clear()
        self.queries.clear()

    def of(self, keyword: str) -> list[str]:
        """Return the providers that were asked for a keyword, call by call."""
        return [provider for provider, asked in self.calls if asked == keyword]

    def deployment(self, *names: str, **more: Any) -> str:
        """Return the setting of a deployment with these providers, in this order."""
        providers = [
            {"name": name, "price_per_thousand_minor": PRICES[name], "base_url": self.url} for name in names or PRICES
        ]
        return json.dumps({"currency": "USD", "providers": providers, **more})


def pages(server: SerpServer, keyword: str, start: int, count: int) -> list[str]:
    """Return the results after the first ``start``."""
    return server.results.get(keyword, [])[start : start + count]


def serpapi(server: SerpServer, asked: dict[str, Any]) -> dict[str, Any]:
    """Answer as SerpApi does."""
    start, keyword = int(asked["start"]), asked["q"]
    found = pages(server, keyword, start, 10)
    if not found:
        return {
            "search_metadata": {"status": "Success"},
            "search_information": {"organic_results_state": "Fully empty"},
            "error": "Google hasn't returned any results for this query.",
        }
    more = len(server.results[keyword]) > start + 10
    return {
        "search_metadata": {"id": "1", "status": "Success"},
        "search_parameters": {"engine": "google", "q": keyword, "device": asked["device"]},
        "search_information": {"organic_results_state": "Results for exact spelling", "total_results": 1234},
        "ads": [{"position": 1, "link": "https://ads.example/"}],
        "related_questions": [{"question": "What?"}],
        "organic_results": [
            {"position": rank, "title": "A title", "link": url, **({"sitelinks": {"inline": [{}]}} if rank > 1 else {})}
            for rank, url in enumerate(found, 1)
        ],
        "serpapi_pagination": {"current": 1, **({"next": "https://serpapi.com/search.json?start=10"} if more else {})},
    }


def dataforseo(server: SerpServer, asked: dict[str, Any]) -> dict[str, Any]:
    """Answer as DataForSEO does."""
    found = pages(server, asked["keyword"], 0, asked["depth"])
    items: list[dict[str, Any]] = [
        {"type": "people_also_ask", "rank_group": 1, "rank_absolute": 1, "items": []},
        {"type": "paid", "rank_group": 1, "rank_absolute": 2, "url": "https://ads.example/"},
    ]
    items += [
        {"type": "organic", "rank_group": rank, "rank_absolute": rank + 2, "url": url, "links": None}
        for rank, url in enumerate(found, 1)
    ]
    task = {"id": "1", "status_code": 20000, "status_message": "Ok.", "cost": 0.002, "result_count": 1}
    if not found:
        return {"status_code": 20000, "tasks": [{**task, "status_code": 40102, "status_message": "No Search Results."}]}
    result = {"keyword": asked["keyword"], "items_count": len(items), "items": items}
    return {"status_code": 20000, "status_message": "Ok.", "tasks": [{**task, "result": [result]}]}


def serper(server: SerpServer, asked: dict[str, Any]) -> dict[str, Any]:
    """Answer as Serper does."""
    found = pages(server, asked["q"], (asked["page"] - 1) * 10, 10)
    return {
        "searchParameters": asked,
        "peopleAlsoAsk": [{"question": "What?"}],
        "organic": [{"title": "A title", "link": url, "position": rank} for rank, url in enumerate(found, 1)],
        "credits": 1,
    }


def google_search(server: SerpServer, asked: dict[str, Any]) -> dict[str, Any]:
    """Answer as the Programmable Search JSON API does."""
    start, keyword = int(asked["start"]) - 1, asked["q"]
    found = pages(server, keyword, start, 10)
    more = len(server.results.get(keyword, [])) > start + 10
    answer: dict[str, Any] = {
        "kind": "customsearch#search",
        "queries": {"request": [{}], **({"nextPage": [{"startIndex": start + 11}]} if more else {})},
        "searchInformation": {"totalResults": str(len(server.results.get(keyword, [])))},
    }
    return {**answer, "items": [{"link": url} for url in found]} if found else answer


SPEAKERS = {"serpapi": serpapi, "dataforseo": dataforseo, "serper": serper, "google_search": google_search}
REFUSALS: dict[str, dict[str, tuple[int, Any]]] = {
    "serpapi": {
        "quota": (429, {"error": "Your account has run out of searches."}),
        "refused": (401, {"error": "Invalid API key. Your API key should be here: https://serpapi.com/manage-api-key"}),
    },
    "dataforseo": {
        "quota": (402, {"status_code": 40200, "status_message": "Payment Required.", "tasks": None}),
        "refused": (401, {"status_code": 40100, "status_message": "You are not Authorized.", "tasks": None}),
    },
    "serper": {
        "quota": (400, {"message": "Not enough credits", "statusCode": 400}),
        "refused": (403, {"message": "Unauthorized.", "statusCode": 403}),
    },
    "google_search": {
        "quota": (429, {"error": {"code": 429, "errors": [{"reason": "rateLimitExceeded"}]}}),
        "refused": (400, {"error": {"code": 400, "errors": [{"reason": "keyInvalid"}]}}),
    },
}


class _Handler(BaseHTTPRequestHandler):
    server_version = "serp"
    protocol_version = "HTTP/1.1"
    told: SerpServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/search.json":
            self._answer("serpapi", asked, asked.get("api_key") == KEYS["serpapi"])
        elif parts.path == "/customsearch/v1":
            key = f"{asked.get('key')}:{asked.get('cx')}"
            self._answer("google_search", asked, key == KEYS["google_search"])
        else:
            self._send(404, b"{}")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/search":
            self._answer("serper", body, self.headers.get("X-API-KEY") == KEYS["serper"])
        else:
            credential = base64.b64encode(KEYS["dataforseo"].encode()).decode()
            self._answer("dataforseo", body[0], self.headers.get("Authorization") == f"Basic {credential}")

    def _answer(self, provider: str, asked: dict[str, Any], allowed: bool) -> None:
        keyword = asked.get("q") or asked.get("keyword", "")
        self.told.calls.append((provider, keyword))
        self.told.queries.append(asked)
        mode = self.told.modes.get(provider, "ok") if allowed else "refused"
        if mode in {"quota", "refused"}:
            status, answer = REFUSALS[provider][mode]
            self._send(status, json.dumps(answer).encode())
        elif mode == "bad":
            self._send(400, b'{"error": "Unsupported `hl` parameter."}')
        elif mode == "down":
            self._send(503, b"upstream connect error", "text/plain")
        elif mode == "html":
            self._send(200, b"<!doctype html><title>Checking your browser</title>", "text/html")
        elif mode == "odd":
            self._send(200, b'{"results_of_a_new_version": []}')
        elif mode == "cut":
            self._send(200, b'{"organic', length=4000)
        elif mode == "slow":
            self.told.release.wait(30)
            self._send(200, b"{}")
        else:
            self._send(200, json.dumps(SPEAKERS[provider](self.told, asked)).encode())

    def _send(self, status: int, body: bytes, kind: str = "application/json", length: int | None = None) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the name is the library's
        """Say nothing."""


@contextlib.contextmanager
def serp_server() -> Iterator[SerpServer]:
    """Yield a running server."""
    told = SerpServer()
    handler = type("Handler", (_Handler,), {"told": told})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        told.release.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
