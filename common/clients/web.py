"""What fetching from the web needs of its surroundings: names resolved in bounded time, and trust in certificates."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Callable

from common.settings import Settings

Resolver = Callable[[str, int, float], list[str]]
"""Host, port and seconds to the IP addresses of the host; raises ``OSError`` where there are none, or no time."""


def resolver(_settings: Settings) -> Resolver:
    """Return the resolver of the system."""
    return resolve


def tls_context(_settings: Settings) -> ssl.SSLContext:
    """Return a context that verifies certificates and names against the system's authorities."""
    return ssl.create_default_context()


def resolve(host: str, port: int, seconds: float) -> list[str]:
    """Return the IP addresses of a host.

    The system's resolver knows no time limit, so it runs in a thread that is left behind when it takes too long.

    Raises:
        TimeoutError: It took longer.
        OSError: There is no such host.
    """
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True, name="resolve").start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"{host!r} was not resolved in time") from None
    if isinstance(answer, Exception):
        raise OSError(f"{host!r} cannot be resolved") from answer
    return answer
