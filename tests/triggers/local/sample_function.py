"""A function with everything that the framework treats in its own way."""

from __future__ import annotations

import flask
import functions_framework


@functions_framework.http  # type: ignore[untyped-decorator]
def sample_function(request: flask.Request) -> flask.typing.ResponseReturnValue:
    if request.path == "/crash":
        raise RuntimeError("crashed on purpose")
    if request.path == "/none":
        return "", 204
    seen = f"{request.method} {request.path} {request.query_string!r} {request.get_data()!r}"
    return seen, 200, {"X-Seen": request.method}
