"""Fetching a page from the web for somebody else: bounded in bytes, time and redirects, and never from our own network.

::

    page = fetch.get(context, url, limits=fetch.Limits(max_bytes=10_000_000, seconds=15))
    page.status, page.url, page.body

Each address (the first and every redirect) is taken apart by ``common.web_address``, its host is resolved once, every
IP address that came back must be public, and the connection goes to the very address that was checked: a name that
resolves to something else a moment later changes nothing. The time limit is one for everything, so a server that sends
a byte now and then gains nothing; the byte limit counts what came out of the packing.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from common.clients.web import resolver, tls_context
from common.context import Context
from common.errors import Unprocessable
from common.gunzip import BadGzip, Gunzip, TooLarge
from common.version import VERSION
from common.web_address import (
    PORTS,
    FetchRefused,
    WebAddress,
    blocked,
    is_internal_name,
    is_ip,
    is_loopback,
    is_public,
    joined,
    web_address,
)

AGENT = "Xynergy"
"""Product token: the name by which robots.txt files mean us."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
PIECE = 65_536
HEAD = 262_144
"""Bytes of header lines, chunk sizes and trailers that are put up with on top of the body."""

_SAFE_ABROAD = frozenset({"accept", "accept-language"})
"""Header fields that go to another origin than the first one, too."""


class FetchFailed(Unprocessable):
    """422: the address was called and gave no usable answer.

    Attributes:
        transient: Whether trying again later may help.
    """

    def __init__(self, code: str, detail: str, *, url: str, transient: bool = False) -> None:
        super().__init__(code, detail, details={"url": url})
        self.transient = transient


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How far one fetch may go.

    Attributes:
        max_bytes: Bytes of the body, packed and unpacked.
        seconds: Seconds for everything, redirects included.
        redirects: Redirects that are followed.
    """

    max_bytes: int = 10_485_760
    seconds: float = 15.0
    redirects: int = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What an address answered.

    Attributes:
        url: The address that answered, after redirects.
        status: HTTP status; not judged, except that redirects were followed.
        headers: Header fields by lower-case name; repeated ones joined by ``, ``.
        body: The body, unpacked.
        redirects: Addresses that led here, the first one first.
    """

    url: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    redirects: tuple[str, ...] = ()

    @property
    def content_type(self) -> str:
        """Media type in lower case without parameters; empty if none was given."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str | None:
        """The charset that ``Content-Type`` names, in lower case."""
        for parameter in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset":
                return value.strip(" \"'").lower() or None
        return None


def get(
    context: Context,
    url: str,
    *,
    limits: Limits | None = None,
    headers: Mapping[str, str] | None = None,
    content_types: tuple[str, ...] = (),
) -> Fetched:
    """Return what an address answers.

    Args:
        context: Its deadline bounds the time as well.
        url: The address.
        limits: How far to go.
        headers: More header fields; only ``Accept`` and ``Accept-Language`` are sent to other origins.
        content_types: Media types that are read; another one of a successful answer is refused before its body.

    Raises:
        FetchRefused: ``invalid_url``, ``blocked_address``: nothing was sent there.
        FetchFailed: ``host_not_found``, ``connection_failed``, ``tls_failed``, ``fetch_timed_out``,
            ``too_many_redirects``, ``response_too_large``, ``incomplete_response``, ``malformed_response``,
            ``unsupported_content_encoding``, ``unsupported_content_type``.
        Unavailable: The deadline of the request has passed already.
    """
    limits = limits or Limits()
    end = time.monotonic() + context.deadline.timeout(limits.seconds, "web")
    address, path = web_address(url), list[str]()
    first = address.origin
    while True:
        call = _Call(context, address, limits, end)
        sent = _own_headers(address, headers or {}, abroad=address.origin != first)
        answer = call.answer(sent, content_types)
        if isinstance(answer, Fetched):
            return Fetched(
                url=address.url,
                status=answer.status,
                headers=answer.headers,
                body=answer.body,
                redirects=tuple(path),
            )
        path.append(address.url)
        following = joined(address, answer)
        if len(path) > limits.redirects or following.url in path:
            raise FetchFailed("too_many_redirects", f"{url!r} redirects round and round, or too often.", url=url)
        address = following


def post(
    context: Context,
    url: str,
    content: bytes,
    *,
    limits: Limits | None = None,
    headers: Mapping[str, str] | None = None,
) -> Fetched:
    """Send a body to an address and return what it answers; a redirect is an answer, and not followed.

    Args:
        context: Its deadline bounds the time as well.
        url: The address.
        content: The body.
        limits: How far to go.
        headers: More header fields, the body's type among them.

    Raises:
        FetchRefused: As ``get``.
        FetchFailed: As ``get``; ``too_many_redirects`` for a redirect.
        Unavailable: The deadline of the request has passed already.
    """
    limits = limits or Limits()
    end = time.monotonic() + context.deadline.timeout(limits.seconds, "web")
    address = web_address(url)
    sent = {**_own_headers(address, headers or {}, abroad=False), "content-length": str(len(content))}
    answer = _Call(context, address, limits, end).answer(sent, (), method="POST", content=content)
    if isinstance(answer, Fetched):
        return answer
    raise FetchFailed("too_many_redirects", f"{url!r} redirects what is sent to it.", url=url)


def check(context: Context, url: str) -> None:
    """Refuse an address that would not be called, before any work is begun for it.

    The name may lead elsewhere by the time it is called; ``get`` checks again.

    Raises:
        FetchRefused: ``invalid_url``, ``blocked_address``.
        FetchFailed: ``host_not_found``, ``fetch_timed_out``.
    """
    end = time.monotonic() + context.deadline.timeout(5, "web")
    _Call(context, web_address(url), Limits(), end).check()


def _own_headers(address: WebAddress, headers: Mapping[str, str], *, abroad: bool) -> dict[str, str]:
    given = {name.lower(): value for name, value in headers.items()}
    if abroad:
        given = {name: value for name, value in given.items() if name in _SAFE_ABROAD}
    own = {"user-agent": f"{AGENT}/{VERSION}", "accept": "*/*", **given}
    return {**own, "host": address.authority, "accept-encoding": "gzip", "connection": "close"}


class _TooMuch(Exception):
    """More bytes than anybody needs came over the wire."""


class _Call:
    """One request to one checked address."""

    def __init__(self, context: Context, address: WebAddress, limits: Limits, end: float) -> None:
        self._context = context
        self._address = address
        self._limits = limits
        self._end = end

    def check(self) -> None:
        """Resolve the host, and refuse it where it may not be called."""
        with self._explained():
            self._checked()

    def answer(
        self, headers: Mapping[str, str], content_types: tuple[str, ...], *, method: str = "GET", content: bytes = b""
    ) -> Fetched | str:
        """Return the answer, or where it redirects to."""
        with self._explained(), self._connected() as sock:
            wire = _Wire(sock, self._end, self._limits.max_bytes + HEAD)
            connection = http.client.HTTPConnection(self._address.host)
            connection.sock = wire
            connection.putrequest(method, self._address.target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.title(), value)
            connection.endheaders(content or None)
            response = connection.getresponse()
            if response.status in REDIRECTS and (location := response.getheader("Location")):
                return location.encode("latin-1", "replace").decode("utf-8", "replace")
            found = {name.lower(): value for name, value in _joined_fields(response)}
            fetched = Fetched(url=self._address.url, status=response.status, headers=found, body=b"")
            if content_types and response.status < 300 and fetched.content_type not in content_types:
                raise self._failed("unsupported_content_type", f"it is {fetched.content_type or 'of no stated type'}")
            return Fetched(url=fetched.url, status=fetched.status, headers=found, body=self._body(response, found))

    def _body(self, response: http.client.HTTPResponse, headers: Mapping[str, str]) -> bytes:
        limit = self._limits.max_bytes
        coding = headers.get("content-encoding", "").strip().lower()
        if coding not in {"", "identity", "gzip", "x-gzip"}:
            raise self._failed("unsupported_content_encoding", f"its body is packed as {coding[:50]!r}")
        if response.length is not None and response.length > limit:
            raise self._too_large()
        unpacking = Gunzip(limit) if coding in {"gzip", "x-gzip"} else None
        pieces, size = list[bytes](), 0
        while piece := response.read1(PIECE):
            out = piece if unpacking is None else unpacking.feed(piece)
            size += len(out)
            if size > limit:
                raise self._too_large()
            pieces.append(out)
        if response.length:
            raise self._failed("incomplete_response", "it ended before the length it announced", transient=True)
        if unpacking is not None:
            unpacking.finish()
        return b"".join(pieces)

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        """Yield a connection to the host: to an IP address that was checked, and to no other."""
        failure: OSError | None = None
        for ip in self._checked():
            try:
                sock = socket.create_connection((ip, self._address.port), timeout=self._left())
            except TimeoutError:
                raise
            except OSError as error:
                failure = error
                continue
            try:
                if self._address.scheme == "https":
                    tls = self._context.clients.get(tls_context)
                    sock.settimeout(self._left())
                    sock = tls.wrap_socket(sock, server_hostname=self._address.host)
                yield sock
            finally:
                sock.close()
            return
        raise self._failed("connection_failed", "it takes no connection", transient=True) from failure

    def _checked(self) -> list[str]:
        """Return the IP addresses of the host, if every one of them may be called."""
        host, own = self._address.host, self._context.clients.settings.fetch_loopback
        if is_internal_name(host) and not (own and host == "localhost"):
            raise blocked(host, "the name belongs to an internal network")
        try:
            found = (
                [host] if is_ip(host) else self._context.clients.get(resolver)(host, self._address.port, self._left())
            )
        except TimeoutError:
            raise
        except OSError as error:
            raise self._failed("host_not_found", "there is no such host") from error
        if own and found and all(map(is_loopback, found)):
            return found
        if not found or not all(map(is_public, found)):
            raise blocked(host, "it does not lead to the public internet")
        if self._address.port not in PORTS:
            ports = ", ".join(map(str, sorted(PORTS)))
            raise blocked(self._address.authority, f"only the ports {ports} are")
        return found

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what goes wrong on the way into what the caller may know of it."""
        try:
            yield
        except TimeoutError as error:
            raise self._failed("fetch_timed_out", "it took too long", transient=True) from error
        except ssl.SSLError as error:
            raise self._failed("tls_failed", "no trusted connection could be made") from error
        except (_TooMuch, TooLarge) as error:
            raise self._too_large() from error
        except BadGzip as error:
            raise self._failed("malformed_response", "its body is damaged gzip") from error
        except http.client.IncompleteRead as error:
            raise self._failed("incomplete_response", "it ended early", transient=True) from error
        except (http.client.HTTPException, ValueError) as error:
            raise self._failed("malformed_response", "its answer is no HTTP") from error
        except OSError as error:
            raise self._failed("connection_failed", "the connection broke", transient=True) from error

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _too_large(self) -> FetchFailed:
        return self._failed("response_too_large", f"it is larger than {self._limits.max_bytes} bytes")

    def _failed(self, code: str, why: str, *, transient: bool = False) -> FetchFailed:
        url = self._address.url
        return FetchFailed(code, f"{url[:200]!r} could not be fetched: {why}.", url=url, transient=transient)


class _Wire(io.RawIOBase):
    """A socket whose every read ends at one common moment and whose bytes are counted.

    It is both what ``http.client`` writes to and the raw file it reads from.
    """

    def __init__(self, sock: socket.socket, end: float, limit: int) -> None:
        self._sock = sock
        self._end = end
        self._left = limit

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """Return the file that the answer is read from."""
        return io.BufferedReader(self, PIECE)

    def sendall(self, data: bytes) -> None:
        """Send everything."""
        self._sock.settimeout(self._remaining())
        self._sock.sendall(data)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; 0 at the end.

        Raises:
            TimeoutError: The time is over.
            _TooMuch: The limit is passed.
        """
        self._sock.settimeout(self._remaining())
        count = self._sock.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise _TooMuch
        return count

    def close(self) -> None:
        """Do nothing: whoever connected closes, when the answer is read."""

    def _remaining(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _joined_fields(response: http.client.HTTPResponse) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys(name.lower() for name in response.headers):
        yield name, ", ".join(str(value) for value in response.headers.get_all(name, []))


__all__ = ["AGENT", "FetchFailed", "FetchRefused", "Fetched", "Limits", "get", "post"]
