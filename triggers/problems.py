"""Errors as problem documents (RFC 9457), and which foreign errors mean that a dependency is down."""

from __future__ import annotations

import http
import json
import traceback
from typing import Any

from common.errors import Refusal, Unavailable
from triggers.exchange import Exchange, HttpAnswer

CONTENT_TYPE = "application/problem+json"
_TRANSIENT = {
    ("google.api_core.exceptions", "ServiceUnavailable"),
    ("google.api_core.exceptions", "DeadlineExceeded"),
    ("google.api_core.exceptions", "GatewayTimeout"),
    ("google.api_core.exceptions", "BadGateway"),
    ("google.api_core.exceptions", "RetryError"),
    ("google.api_core.exceptions", "ResourceExhausted"),
    ("google.api_core.exceptions", "TooManyRequests"),
    ("google.api_core.exceptions", "Aborted"),
    ("google.api_core.exceptions", "InternalServerError"),
    ("google.api_core.exceptions", "Cancelled"),
    ("google.api_core.exceptions", "Unknown"),
    ("google.auth.exceptions", "TransportError"),
    ("redis.exceptions", "ConnectionError"),
    ("redis.exceptions", "TimeoutError"),
    ("requests.exceptions", "ConnectionError"),
    ("requests.exceptions", "Timeout"),
    ("urllib3.exceptions", "HTTPError"),
    ("grpc", "RpcError"),
}
_DEPENDENCIES = {
    "firestore": ("google/cloud/firestore",),
    "bigquery": ("google/cloud/bigquery",),
    "pubsub": ("google/cloud/pubsub", "google/pubsub"),
    "storage": ("google/cloud/storage",),
    "tasks": ("google/cloud/tasks",),
    "redis": ("site-packages/redis/",),
}


def unavailable_from(error: BaseException) -> Unavailable | None:
    """Return what a leaked library error means if it is transient, else None.

    Classes are recognised by module and name, so a function that does not use a library does not import it here. A
    transaction given up after too much contention is a ``ValueError`` of the Firestore client whose cause is
    ``Aborted``.
    """
    if isinstance(error, Unavailable):
        return error
    if any((kind.__module__, kind.__name__) in _TRANSIENT for kind in type(error).__mro__):
        dependency = _dependency(error)
        return Unavailable(dependency, f"{dependency} does not answer", retry_after=5)
    if isinstance(error, ValueError) and error.__cause__ is not None and not isinstance(error.__cause__, ValueError):
        return unavailable_from(error.__cause__)
    return None


def _dependency(error: BaseException) -> str:
    """Tell the dependency by the library in which the error arose; the innermost known frame decides."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        for name, places in _DEPENDENCIES.items():
            if any(place in frame.filename for place in places):
                return name
    return "network"


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    exchange: Exchange,
    members: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> HttpAnswer:
    """Return a problem document; ``type`` is relative to the address of the interface."""
    document: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": exchange.request_id,
        "instance": exchange.public_path,
        **(members or {}),
    }
    body = json.dumps(document, ensure_ascii=False, default=str).encode("utf-8", "replace")
    return HttpAnswer(status, body, CONTENT_TYPE, headers or {}, code=code)


def refused(refusal: Refusal, exchange: Exchange) -> HttpAnswer:
    """Return the answer to a refusal."""
    members = dict(refusal.details)
    if refusal.errors:
        members["errors"] = [
            {"pointer": error.pointer, "code": error.code, "message": error.message} for error in refusal.errors
        ]
    return problem(
        refusal.status, refusal.code, refusal.title, refusal.detail, exchange, members, dict(refusal.headers)
    )


def unavailable(error: Unavailable, exchange: Exchange) -> HttpAnswer:
    """Return 503 with when to try again."""
    return problem(
        503,
        "dependency_unavailable",
        "Service unavailable",
        error.detail,
        exchange,
        {"dependency": error.dependency},
        {"Retry-After": str(max(1, error.retry_after))},
    )


def internal(exchange: Exchange) -> HttpAnswer:
    """Return 500 that tells nothing but the request id under which the log has everything."""
    return problem(
        http.HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal_error",
        "Internal error",
        "the operation failed; the log has the details under this request id",
        exchange,
    )
