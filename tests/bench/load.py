"""A small HTTP/1.1 load generator: keep-alive connections on one thread, so that it costs less than what it measures.

Run as a process of its own by ``closed_loop`` and ``paced``; talks to loopback addresses only.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.bench.report import percentile


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What a load run found.

    Attributes:
        requests: Answers received.
        per_second: Answers a second.
        p50: Median latency in milliseconds.
        p99: 99th percentile of the latency in milliseconds.
        errors: Answers that were not 200.
    """

    requests: int
    per_second: float
    p50: float
    p99: float
    errors: int


class _Connection:
    """One keep-alive connection with at most one request in flight."""

    def __init__(self, address: tuple[str, int], request: bytes) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._received = b""
        self.started = 0.0

    def send(self, started: float) -> None:
        self.started = started
        self._received = b""
        self.socket.sendall(self._request)

    def receive(self) -> int | None:
        """Return the status once the whole answer is there."""
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        self._received += chunk
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return None
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length" and len(body) >= int(value):
                return int(head[9:12])
        return None


def _drive(url: str, headers: Mapping[str, str], connections: int, seconds: float, rate: float | None) -> Load:
    parts = urlsplit(url)
    if parts.hostname != "127.0.0.1" or parts.port is None:
        raise ValueError("load goes to 127.0.0.1 only")
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {parts.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    # Taken in turns: a server closes connections that stay idle for seconds.
    idle = deque(_Connection((parts.hostname, parts.port), request) for _ in range(connections))
    selector = selectors.DefaultSelector()
    for connection in idle:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    latencies: list[float] = []
    errors, sent = 0, 0
    begin = now = time.perf_counter()
    busy = 0
    while now - begin < seconds or busy:
        due = busy + len(idle) if rate is None else int((now - begin) * rate) - sent
        while idle and due > 0 and now - begin < seconds:
            # Paced requests count from the moment they were due, so a slow server cannot hide its queue.
            idle.popleft().send(now if rate is None else begin + (sent + 1) / rate)
            sent, busy, due = sent + 1, busy + 1, due - 1
        for key, _ in selector.select(timeout=0.0005 if rate is not None else 0.05):
            status = key.data.receive()
            if status is not None:
                latencies.append((time.perf_counter() - key.data.started) * 1000)
                errors += status != 200
                busy -= 1
                idle.append(key.data)
        now = time.perf_counter()
    latencies.sort()
    return Load(
        requests=len(latencies),
        per_second=len(latencies) / (now - begin),
        p50=percentile(latencies, 0.5),
        p99=percentile(latencies, 0.99),
        errors=errors,
    )


def run(url: str, headers: Mapping[str, str], *, connections: int, seconds: float, rate: float | None = None) -> Load:
    """Load ``url`` from a process of its own.

    Args:
        url: Address on 127.0.0.1.
        headers: Request headers.
        connections: Keep-alive connections.
        seconds: Duration.
        rate: Requests a second; None sends the next request as soon as an answer is there (closed loop).
    """
    plan = {"url": url, "headers": dict(headers), "connections": connections, "seconds": seconds, "rate": rate}
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load"], input=json.dumps(plan), capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return Load(**found)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_drive(**json.load(sys.stdin)))))
