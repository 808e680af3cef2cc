"""Web servers of tests: real sockets, answers written byte by byte, requests counted."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

Answer = bytes | Iterable[bytes] | Callable[[str], bytes]
"""What goes over the wire: bytes, pieces of bytes, or a function of the request's header lines."""


def page(
    body: bytes | str,
    status: int = 200,
    kind: str = "text/html; charset=utf-8",
    extra: str = "",
    length: int | None = None,
) -> bytes:
    """Return a whole answer."""
    content = body.encode() if isinstance(body, str) else body
    size = len(content) if length is None else length
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n{extra}\r\n"
    return head.encode("latin-1") + content


def redirect(location: str, status: int = 302) -> bytes:
    """Return a redirect."""
    return f"HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")


@dataclass
class Web:
    """A server.

    Attributes:
        host: Address it listens on.
        port: Port it listens on.
        routes: Answer by request target; anything else is a 404.
        requests: Head of every request, in the order they came.
    """

    host: str
    port: int
    scheme: str = "http"
    routes: dict[str, Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def targets(self) -> list[str]:
        """Request targets, in the order they came."""
        return [head.split(" ", 2)[1] for head in self.requests]


@contextlib.contextmanager
def served(
    routes: dict[str, Answer] | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Web]:
    """Yield a running server."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)
    web = Web(host, listening.getsockname()[1], "https" if tls else "http", routes if routes is not None else {})
    stopped = threading.Event()

    def accept() -> None:
        while not stopped.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            connection,
            tls.wrap_socket(connection, server_side=True) if tls else connection as sock,
        ):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = sock.recv(65536)
                if not piece:
                    return
                head += piece
            web.requests.append(head.decode("latin-1"))
            found = web.routes.get(web.targets[-1], page("", 404))
            if callable(found):
                found = found(web.requests[-1])
            for part in [found] if isinstance(found, bytes) else found:
                if stopped.is_set():
                    return
                sock.sendall(part)
            sock.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        stopped.set()
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


def forever(piece: bytes, head: bytes = b"", pause: float = 0.0) -> Iterator[bytes]:
    """Yield bytes without end, with a pause before each."""
    yield head
    while True:
        threading.Event().wait(pause)
        yield piece
