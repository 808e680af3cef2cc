"""The process that serves every function: one functions-framework application each, on one port.

Started by the local cloud as ``python -m triggers.local.host --port PORT --control PORT``.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import flask
import functions_framework as framework
import urllib3
from functions_framework import _function_registry as registry
from functions_framework import execution_id
from functions_framework._http.gunicorn import GunicornApplication

from common.clients.registry import Clients
from triggers.local.functions import MANIFEST_FILE, LocalFunction, read_manifest
from triggers.local.permitted import Permitted
from triggers.local.processes import LOOPBACK
from triggers.local.router import Router, WsgiApp
from triggers.runtime import CLIENTS, process_clients

THREADS = 48
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "server", "date"}


def build_app(function: LocalFunction) -> WsgiApp:
    """Return the framework's application of one function.

    The same steps as ``functions_framework.create_app`` (a test compares the two), except that the handler's module is
    imported once under its real name, so functions share what they import.
    """
    app = flask.Flask(function.name)
    app.register_error_handler(500, framework.crash_handler)
    app.wsgi_app = execution_id.WsgiMiddleware(app.wsgi_app)  # type: ignore[method-assign]
    with app.app_context():
        handler = getattr(importlib.import_module(function.module), function.entry_point)
    signature = registry.get_func_signature_type(function.entry_point, None)
    framework._configure_app(app, handler, signature)  # noqa: SLF001 - the framework is pinned and compared by a test
    return app


def permitted(function: LocalFunction, process: Clients) -> WsgiApp:
    """Return the application of a function that has the permissions it declared and no others.

    Args:
        function: Which function.
        process: The clients that all functions of the process share.
    """
    app = build_app(function)
    clients = Permitted(process, function.name, function.declaration.needs)

    def served(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ[CLIENTS] = clients
        return app(environ, start_response)

    return served


def control_proxy(port: int) -> WsgiApp:
    """Return an application that hands ``/_local`` requests to the local cloud's control server."""
    pool = urllib3.PoolManager(maxsize=8, retries=False)

    def control(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        query = environ.get("QUERY_STRING", "")
        url = f"http://{LOOPBACK}:{port}{environ['PATH_INFO']}{'?' if query else ''}{query}"
        length = int(environ.get("CONTENT_LENGTH") or 0)
        headers = {"content-type": environ.get("CONTENT_TYPE", ""), "host": environ.get("HTTP_HOST", "")}
        passed = {"HTTP_ORIGIN": "origin", "HTTP_ACCEPT": "accept"}
        headers |= {header: environ[name] for name, header in passed.items() if name in environ}
        body = environ["wsgi.input"].read(length) if length else None
        answer = pool.request(environ["REQUEST_METHOD"], url, body=body, headers=headers, redirect=False, timeout=30)
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP]
        start_response(f"{answer.status} {answer.reason}", kept)
        return [answer.data]

    return control


def main(arguments: list[str]) -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m triggers.local.host")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control", type=int, required=True, help="port of the control server")
    parser.add_argument("--manifest", type=Path, default=MANIFEST_FILE)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)
    build = functools.partial(permitted, process=process_clients())
    router = Router(read_manifest(options.manifest), build, control_proxy(options.control))
    GunicornApplication(
        router,
        LOOPBACK,
        options.port,
        debug=False,
        threads=THREADS,
        worker_class="gthread",
        keepalive=75,
        graceful_timeout=5,
        control_socket_disable=True,
    ).run()


if __name__ == "__main__":
    main(sys.argv[1:])
