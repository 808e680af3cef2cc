"""Cross-origin requests: which browsers' pages may call, exactly (https://fetch.spec.whatwg.org/#http-cors-protocol)."""

from __future__ import annotations

from common.settings import Settings

REQUEST_HEADERS = (
    "Authorization, Content-Type, Content-Disposition, Idempotency-Key, If-Match, If-None-Match, "
    "X-API-Key, X-Request-ID, X-Tenant-ID, traceparent"
)
ANSWER_HEADERS = (
    "Age, Content-Disposition, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, "
    "Retry-After, X-Cache, X-Request-ID"
)


METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
"""What a page may ask for across origins: everything. A front door has several functions behind one path and sends the
preflight of any verb to one of them, which must not speak for its own verb only; refusing a verb is routing's work."""


def allowed(origin: str, settings: Settings) -> bool:
    """Tell whether pages of an origin may call; on the local cloud every local page may."""
    if origin in settings.allowed_origins:
        return True
    if not settings.is_local:
        return False
    host, _, port = origin.partition("://")[2].partition(":")
    return origin.startswith("http://") and host in {"localhost", "127.0.0.1"} and (not port or port.isdecimal())


def answer_headers(origin: str | None, settings: Settings) -> dict[str, str]:
    """Return the headers for an answer to a page of ``origin``; none for any other caller."""
    if origin is None:
        return {"Vary": "Origin"} if settings.allowed_origins else {}
    if not allowed(origin, settings):
        return {"Vary": "Origin"}
    return {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": ANSWER_HEADERS,
    }


def preflight_headers(methods: str) -> dict[str, str]:
    """Return the headers of an answer to ``OPTIONS``, besides those of every answer."""
    return {
        "Allow": methods,
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": REQUEST_HEADERS,
        "Access-Control-Max-Age": "600",
    }
