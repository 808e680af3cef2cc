"""The one line a request leaves in the log, and its figures."""

from __future__ import annotations

import time
from typing import Any

from common import logs
from common.metrics import process_metrics
from triggers.exchange import Exchange, HttpAnswer


def report(function: str, exchange: Exchange, answer: HttpAnswer, started: float, **more: Any) -> None:
    """Log a request and count it.

    Args:
        function: Name of the function.
        exchange: The request.
        answer: What is sent back.
        started: ``time.perf_counter()`` at its arrival.
        **more: Further fields, such as the attempt of a delivery.
    """
    milliseconds = (time.perf_counter() - started) * 1000
    process_metrics().observe(function, answer.status, milliseconds, answer.cache)
    context = exchange.context
    settings = exchange.clients.settings
    error = exchange.error
    if error is not None:
        logs.for_request(function, exchange.request_id, exchange.trace, settings).error(
            f"{type(error).__name__}: {error}", code=answer.code, exc_info=error
        )
    fields: dict[str, Any] = {
        "function": function,
        "request_id": exchange.request_id,
        "correlation_id": None if context is None else context.correlation_id or exchange.request_id,
        "tenant_id": None if context is None else context.tenant_id,
        "principal": None if context is None else context.principal.id,
        "status": answer.status,
        "latency_ms": round(milliseconds, 3),
        "cache": answer.cache,
        "code": answer.code,
        **more,
    }
    logs.request_line(exchange.method, exchange.path, fields, answer.body, exchange.trace, settings)
