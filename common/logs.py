"""Structured logs with the fields of Cloud Logging; readable lines on the local cloud.

Fields: https://cloud.google.com/logging/docs/structured-logging. Secrets are masked by name; bodies are never logged.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from common.context import Context, Trace
from common.settings import Settings

if TYPE_CHECKING:
    import structlog

MASK = "***"
_ENCODER = json.JSONEncoder(default=str, ensure_ascii=False, separators=(",", ":"))
_SECRET_PARTS = (
    "secret",
    "token",
    "password",
    "authorization",
    "api_key",
    "api-key",
    "apikey",
    "cookie",
    "credential",
    "jwt",
    "assertion",
)
_SEVERITIES = {"warn": "WARNING", "exception": "ERROR", "critical": "CRITICAL"}

Event = MutableMapping[str, Any]


def is_secret(name: str) -> bool:
    """Tell whether a field of this name must not be shown."""
    lowered = name.lower()
    return any(part in lowered for part in _SECRET_PARTS)


def masked(value: Any) -> Any:
    """Return a value with everything secret in it replaced, by the names of its fields."""
    if isinstance(value, Mapping):
        return {name: _shown(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(inner) for inner in value]
    return value


def mask_secrets(_logger: Any, _method: str, event: Event) -> Event:
    """Mask secrets (a structlog processor)."""
    for name, value in event.items():
        event[name] = _shown(name, value)
    return event


def _shown(name: str, value: Any) -> Any:
    """Mask by name, except numbers: ``input_tokens`` counts something, and no secret of ours is a number."""
    if is_secret(name) and not isinstance(value, int | float | None):
        return MASK
    return masked(value)


def cloud_fields(_logger: Any, method: str, event: Event) -> Event:
    """Rename fields to what Cloud Logging knows (a structlog processor)."""
    event["severity"] = _SEVERITIES.get(method, method.upper())
    event["message"] = event.pop("event", "")
    if "exception" in event:
        # Error Reporting groups by the stack trace, which it looks for in the message.
        event["message"] = f"{event['message']}\n{event.pop('exception')}"
    return event


def _json_line(_logger: Any, _method: str, event: Event) -> str:
    return _ENCODER.encode(event)


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class _Lines:
    """Writes whole lines to the standard output of the moment, so that lines of threads do not mix."""

    def msg(self, line: str) -> None:
        _write(line)

    debug = info = warning = warn = error = critical = exception = log = failure = fatal = msg


def _line_factory(*_arguments: Any) -> _Lines:
    return _Lines()


def configure(settings: Settings) -> None:
    """Configure structlog for this process: JSON lines, or a readable console.

    Done at the first line that is not a request's own: many processes write no other, and importing the library takes
    tens of milliseconds of a cold start.
    """
    import structlog

    shared: list[Any] = [mask_secrets, structlog.processors.TimeStamper(fmt="iso", utc=True, key="time")]
    if settings.log_format == "console":
        # Plain tracebacks: the pretty ones of a rich terminal show the values of local variables, secrets included.
        last: list[Any] = [
            _for_people,
            structlog.dev.ConsoleRenderer(
                colors=sys.stdout.isatty(),
                timestamp_key="time",
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ]
        shared.append(structlog.processors.add_log_level)
    else:
        last = [structlog.processors.format_exc_info, cloud_fields, _json_line]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=_line_factory,
        cache_logger_on_first_use=True,
    )


def bound(settings: Settings, **fields: Any) -> structlog.typing.FilteringBoundLogger:
    """Return a logger, configured if nobody has done so before."""
    import structlog

    if not structlog.is_configured():
        configure(settings)
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger(**fields)
    return bound


def _for_people(_logger: Any, _method: str, event: Event) -> Event:
    """Drop what only machines read (a structlog processor)."""
    for name in [name for name in event if name.startswith("logging.googleapis.com/")]:
        del event[name]
    return event


def trace_fields(trace: Trace, project: str) -> dict[str, Any]:
    """Return the fields that join a line to its trace."""
    return {
        "logging.googleapis.com/trace": f"projects/{project}/traces/{trace.trace_id}",
        "logging.googleapis.com/spanId": trace.span_id,
        "logging.googleapis.com/trace_sampled": trace.sampled,
    }


def logger(context: Context) -> structlog.typing.FilteringBoundLogger:
    """Return a logger whose lines say which function, request, tenant and trace they belong to."""
    return for_request(context.function, context.request_id, context.trace, context.clients.settings).bind(
        tenant_id=context.tenant_id, correlation_id=context.correlation_id or context.request_id
    )


def for_request(
    function: str, request_id: str, trace: Trace, settings: Settings
) -> structlog.typing.FilteringBoundLogger:
    """Return a logger for a request whose tenant is not known yet."""
    return bound(settings, function=function, request_id=request_id, **trace_fields(trace, settings.project))


def request_line(
    method: str, path: str, fields: dict[str, Any], body: object, trace: Trace, settings: Settings
) -> None:
    """Write the one line of a request, without structlog's chain: every request pays for it.

    Args:
        method: HTTP method.
        path: Path without the query, which may hold what is nobody's business.
        fields: Fields with ``status`` and ``latency_ms``; those that are None are left out.
        body: The answer's body, for its size.
        trace: Trace of the request.
        settings: Settings of the process.
    """
    status, latency = fields["status"], fields["latency_ms"]
    line = {name: value for name, value in fields.items() if value is not None}
    message = f"{method} {path or '/'} {status}"
    if settings.log_format == "console":
        bound(settings).info(message, **line)
        return
    line["severity"] = "ERROR" if status >= 500 else "INFO"
    line["message"] = message
    line["time"] = datetime.now(UTC).isoformat()
    line["httpRequest"] = {
        "requestMethod": method,
        "requestUrl": path or "/",
        "status": status,
        "latency": f"{latency / 1000:.6f}s",
        "responseSize": str(len(body)) if isinstance(body, bytes) else "0",
    }
    line.update(trace_fields(trace, settings.project))
    _write(_json_line(None, "info", line))
