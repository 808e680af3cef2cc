"""One request as the pipelines see it, and the answer they make of it.

Requests are read from the WSGI environment directly: one look-up a header, nothing parsed that is not asked for.
"""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from werkzeug.exceptions import ClientDisconnected
from werkzeug.http import parse_options_header
from werkzeug.wsgi import get_input_stream

from common.clients.registry import Clients
from common.context import Context, Trace
from common.errors import BadRequest, PayloadTooLarge

CLOUD_TRACE = re.compile(r"([0-9a-f]{32})/([0-9]{1,20})(?:;o=([0-9]))?")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
DRAINED = 33_554_432
"""Bytes read of a body nobody wants; Cloud Run takes no larger request over HTTP/1."""

_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_BARE_HEADERS = {"CONTENT_TYPE", "CONTENT_LENGTH"}


def traceparent_of(cloud_trace: str) -> str | None:
    """Return the ``traceparent`` that Google's older ``X-Cloud-Trace-Context: TRACE/SPAN;o=OPTIONS`` stands for."""
    match = CLOUD_TRACE.fullmatch(cloud_trace)
    if match is None or int(match[2]) >= 1 << 64:
        return None
    return f"00-{match[1]}-{int(match[2]):016x}-{'01' if match[3] == '1' else '00'}"


class Headers(Mapping[str, str]):
    """The request's headers, by name in any case, straight from the WSGI environment."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        key = name.upper().replace("-", "_")
        return str(self._environ[key if key in _BARE_HEADERS else f"HTTP_{key}"])

    def __iter__(self) -> Iterator[str]:
        for key in self._environ:
            if key.startswith("HTTP_"):
                yield key[5:].replace("_", "-").lower()
            elif key in _BARE_HEADERS:
                yield key.replace("_", "-").lower()

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Exchange:
    """One request.

    Attributes:
        environ: Its WSGI environment.
        headers: Its headers.
        method: Upper-case method.
        request_id: The caller's ``X-Request-ID`` if it is a usable one, else a new one.
        trace: The caller's trace with a span of ours.
        clients: Clients of the process.
        context: The circumstances of the work, once they are known.
        answer_headers: Headers that the answer gets whatever it is.
        error: What went wrong unexpectedly, for the log.
    """

    __slots__ = (
        "answer_headers",
        "clients",
        "context",
        "environ",
        "error",
        "headers",
        "method",
        "request_id",
        "trace",
    )

    def __init__(self, environ: dict[str, Any], clients: Clients) -> None:
        self.environ = environ
        self.clients = clients
        self.context: Context | None = None
        self.answer_headers: dict[str, str] = {}
        self.error: Exception | None = None
        self.headers = Headers(environ)
        self.method: str = environ["REQUEST_METHOD"]
        given = environ.get("HTTP_X_REQUEST_ID")
        self.request_id: str = given if given and REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
        traceparent = environ.get("HTTP_TRACEPARENT")
        if traceparent is None and "HTTP_X_CLOUD_TRACE_CONTEXT" in environ:
            traceparent = traceparent_of(environ["HTTP_X_CLOUD_TRACE_CONTEXT"])
        self.trace = Trace.continued(traceparent)

    @property
    def path(self) -> str:
        """The decoded path below the function's root; bytes that are no UTF-8 become U+FFFD, which no route has."""
        raw: str = self.environ.get("PATH_INFO", "")
        return raw if raw.isascii() else raw.encode("latin-1").decode("utf-8", "replace")

    @property
    def public_path(self) -> str:
        """The percent-encoded path the caller asked for."""
        environ = self.environ
        return quote((environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1")) or "/"

    def media_type(self) -> tuple[str, str]:
        """Return the media type of the body without parameters, and the parameters, both lower case."""
        kind, _, parameters = self.environ.get("CONTENT_TYPE", "").partition(";")
        return kind.strip().lower(), parameters.strip().lower()

    def filename(self) -> str | None:
        """Return the last segment of the file name in ``Content-Disposition``, if there is one."""
        _, options = parse_options_header(self.environ.get("HTTP_CONTENT_DISPOSITION"))
        name = options.get("filename", "").replace("\\", "/").rpartition("/")[2]
        return name or None

    def body(self, at_most: int) -> bytes:
        """Read the whole body, whether its length was announced or not.

        Raises:
            PayloadTooLarge: It is longer than ``at_most`` bytes; nothing beyond that was kept.
            BadRequest: The caller went away in the middle, or the length is no number.
        """
        announced = self.environ.get("CONTENT_LENGTH") or ""
        if announced.isdecimal() and int(announced) > at_most:
            raise _too_large(at_most)
        stream = get_input_stream(self.environ, max_content_length=None)
        chunks: list[bytes] = []
        left = at_most + 1
        try:
            while left > 0 and (chunk := stream.read(left)):
                chunks.append(chunk)
                left -= len(chunk)
        except (ClientDisconnected, OSError) as error:
            self._no_more_to_read()
            raise BadRequest("incomplete_body", "the request's body ended before its announced length") from error
        if left <= 0:
            raise _too_large(at_most)
        self._no_more_to_read()
        return b"".join(chunks)

    def drain(self) -> None:
        """Read and forget what is left of the body, so that a caller who is still sending it gets the answer."""
        environ = self.environ
        if environ.get("CONTENT_LENGTH") in {None, "", "0"} and "HTTP_TRANSFER_ENCODING" not in environ:
            return
        stream, left = get_input_stream(environ, max_content_length=None), DRAINED
        try:
            while left > 0 and (chunk := stream.read(65_536)):
                left -= len(chunk)
        except (ClientDisconnected, OSError):
            pass  # there is nobody left to answer
        self._no_more_to_read()

    def _no_more_to_read(self) -> None:
        """Tell whoever comes after, such as the framework, that the body has been read."""
        self.environ["wsgi.input"] = io.BytesIO()
        self.environ["CONTENT_LENGTH"] = "0"


def _too_large(at_most: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        "payload_too_large", f"the body may have at most {at_most} bytes", details={"max_bytes": at_most}
    )


@dataclass(slots=True)
class HttpAnswer:
    """What goes back.

    Attributes:
        status: HTTP status.
        body: Bytes, or chunks to stream.
        content_type: Media type; empty where there is no body.
        headers: Further headers.
        cache: ``HIT``, ``MISS`` or ``BYPASS`` where the answer went through the cache.
        code: Code of the problem, if it is one.
        secret: It must not be kept for repetitions of the request.
    """

    status: int
    body: bytes | Iterable[bytes] = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cache: str | None = None
    code: str | None = None
    secret: bool = False

    @property
    def status_line(self) -> str:
        """Status with its phrase."""
        return _STATUS_LINES[self.status]

    def wire_headers(self, exchange: Exchange) -> list[tuple[str, str]]:
        """Return all headers; private answers are not to be stored on the way."""
        headers = self.headers
        headers.update(exchange.answer_headers)
        headers["X-Request-ID"] = exchange.request_id
        headers.setdefault("Cache-Control", "no-store")
        if self.content_type:
            headers["Content-Type"] = self.content_type
            if isinstance(self.body, bytes):
                headers["Content-Length"] = str(len(self.body))
        return list(headers.items())
