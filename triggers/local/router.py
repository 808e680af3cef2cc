"""One port for every function: finds the function of a request by its function URL or its REST route.

A function URL is ``/<function-name>/<path parameters>``; the name moves into ``SCRIPT_NAME``, so the function sees what
it sees when it is deployed. REST routes are what the front door serves in production; they leave the path whole.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from triggers.exchange import REQUEST_ID
from triggers.local.functions import Http, LocalFunction, declared

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]
Build = Callable[[LocalFunction], WsgiApp]
CONTROL = "/_local"


@dataclass
class _Node:
    """One segment of the routes' tree."""

    literals: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    methods: dict[str, str] = field(default_factory=dict)


class Routes:
    """REST routes of the HTTP functions; a literal segment wins over a parameter."""

    def __init__(self, functions: Iterable[LocalFunction]) -> None:
        self._root = _Node()
        for function, declaration in declared(functions, Http):
            node = self._root
            for segment in declaration.path.strip("/").split("/"):
                if segment.startswith("{"):
                    node.parameter = node.parameter or _Node()
                    node = node.parameter
                else:
                    node = node.literals.setdefault(segment, _Node())
            node.methods[declaration.method] = function.name

    def find(self, path: str) -> dict[str, str]:
        """Return the functions of a path by method; empty where there is no such route."""
        return self._find(self._root, path.strip("/").split("/"))

    def _find(self, node: _Node, segments: list[str]) -> dict[str, str]:
        if not segments:
            return node.methods
        first, rest = segments[0], segments[1:]
        literal = node.literals.get(first)
        found = self._find(literal, rest) if literal is not None else {}
        if found or node.parameter is None or not first:
            return found
        return self._find(node.parameter, rest)


def choose(methods: dict[str, str], method: str, asked: str | None) -> str | None:
    """Return the function that answers a method on a route.

    Args:
        methods: The route's functions by method.
        method: The request's method; HEAD is answered by GET.
        asked: ``Access-Control-Request-Method`` of a preflight request.
    """
    if method == "OPTIONS":
        return methods.get(asked or "") or next(iter(methods.values()), None)
    return methods.get("GET" if method == "HEAD" else method)


class Router:
    """The WSGI application of the host: builds each function's own application when it is first asked for."""

    def __init__(self, functions: list[LocalFunction], build: Build, control: WsgiApp) -> None:
        """Take the functions.

        Args:
            functions: All functions.
            build: Makes the application of one.
            control: Answers what lies below ``/_local``.
        """
        self._functions = {function.name: function for function in functions}
        self._routes = Routes(functions)
        self._build = build
        self._control = control
        self._apps: dict[str, WsgiApp] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Hand the request to the function it is for."""
        path = environ.get("PATH_INFO", "") or "/"
        first, _, rest = path.lstrip("/").partition("/")
        if f"/{first}" == CONTROL:
            return self._control(environ, start_response)
        if first in self._functions:
            environ["SCRIPT_NAME"] = f"{environ.get('SCRIPT_NAME', '')}/{first}"
            environ["PATH_INFO"] = f"/{rest}"
            return self._app(first)(environ, start_response)
        methods = self._routes.find(path)
        method = environ["REQUEST_METHOD"]
        name = choose(methods, method, environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD"))
        if name is not None:
            return self._app(name)(environ, start_response)
        if methods:
            allowed = ", ".join(sorted({*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"}))
            detail = f"{path} answers {allowed}"
            return _problem(environ, start_response, (405, "method_not_allowed", detail), [("Allow", allowed)])
        return _problem(environ, start_response, (404, "route_not_found", "No operation has this address"), [])

    def _app(self, name: str) -> WsgiApp:
        app = self._apps.get(name)
        if app is None:
            with self._lock:
                app = self._apps.get(name)
                if app is None:
                    app = self._apps[name] = self._build(self._functions[name])
        return app


TITLES = {404: "Not found", 405: "Method not allowed", 502: "Bad gateway"}


def _problem(
    environ: dict[str, Any], start_response: Any, problem: tuple[int, str, str], headers: list[tuple[str, str]]
) -> list[bytes]:
    status, code, detail = problem
    given = environ.get("HTTP_X_REQUEST_ID", "")
    request_id = given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
    document = {
        "type": f"/problems/{code}",
        "title": TITLES[status],
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        "instance": quote(environ.get("PATH_INFO", "").encode("latin-1")),
    }
    body = json.dumps(document).encode()
    base = [("Content-Type", "application/problem+json"), ("Content-Length", str(len(body)))]
    base.append(("X-Request-ID", request_id))
    start_response(f"{status} {TITLES[status]}", base + headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
