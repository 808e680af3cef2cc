"""A cached read under the production server, against a bare function and against FastAPI on uvicorn.

Ours authenticates, checks tenant and scope, counts the call against its limit, looks the answer up, and logs the
request. The bare function does nothing; FastAPI does the same Redis read and nothing else. Every server has one
processor, as a deployed function has: on several, the threads of one interpreter hand its lock to and fro.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from common.clients.redis import redis_client
from common.clients.registry import Clients
from tests.bench.load import Load
from tests.bench.load import run as drive
from tests.bench.peers import BARE_FUNCTION, FASTAPI_APPLICATION
from tests.bench.report import Measurement
from tests.bench.stack import Tenant, create_tenant, framework_command, local_cloud, served_bundle, server
from tests.stack import wait_for
from triggers.local.processes import LOOPBACK, free_port

CONNECTIONS, SECONDS, ROUNDS, MODERATE = 8, 4.0, 3, 200.0
FUNCTION, QUERY = "aso-content-list", "?status=draft&limit=20"


def _keys(tenant: Tenant) -> tuple[str, str]:
    """Return the Redis keys of the tenant's generation and of its one cached answer."""
    client = Clients(tenant.cloud.settings).get(redis_client)
    if client is None:
        raise RuntimeError("the local cloud has no Redis")
    (answer,) = client.scan_iter(match=f"aso_content:{tenant.tenant_id}:*")
    return f"generation:aso_content:{tenant.tenant_id}", answer.decode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What is loaded: an address, the headers to send, and the process that serves it."""

    url: str
    headers: Mapping[str, str]
    pid: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Medians of a target's rounds: answers a second, and microseconds of processor time an answer."""

    per_second: float
    processor: float


def _processor_seconds(pid: int) -> float:
    parent = psutil.Process(pid)
    times = [each.cpu_times() for each in (parent, *parent.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def _round(target: Target) -> Found:
    before = _processor_seconds(target.pid)
    load = drive(target.url, target.headers, connections=CONNECTIONS, seconds=SECONDS)
    if load.errors:
        raise RuntimeError(f"answers other than 200: {target.url}: {load}")
    used = _processor_seconds(target.pid) - before
    return Found(per_second=load.per_second, processor=used / load.requests * 1e6)


def _state(address: str, tenant: Tenant) -> str | None:
    return requests.get(address, headers=tenant.headers, timeout=10).headers.get("X-Cache")


def _loads(targets: Mapping[str, Target]) -> dict[str, Found]:
    """Load the targets in turns, so that noise meets all of them."""
    rounds: dict[str, list[Found]] = {name: [] for name in targets}
    for target in targets.values():
        drive(target.url, target.headers, connections=CONNECTIONS, seconds=1.0)
    for _ in range(ROUNDS):
        for name, target in targets.items():
            rounds[name].append(_round(target))
    return {
        name: Found(
            per_second=statistics.median(one.per_second for one in found),
            processor=statistics.median(one.processor for one in found),
        )
        for name, found in rounds.items()
    }


@contextmanager
def _uvicorn(folder: Path, environment: Mapping[str, str], *options: str) -> Iterator[Target]:
    """Serve the FastAPI application."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "application:application", "--host", LOOPBACK, "--port", str(port)]
    with server([*command, "--no-access-log", "--log-level", "warning", *options], port, folder, environment) as pid:
        yield Target(url=f"http://{LOOPBACK}:{port}/", headers={}, pid=pid)


def run() -> list[Measurement]:
    """Measure all three in one run."""
    with (
        tempfile.TemporaryDirectory() as name,
        local_cloud() as cloud,
        served_bundle(FUNCTION) as (ours, ours_pid),
    ):
        folder, bare_port = Path(name), free_port()
        tenant = create_tenant(cloud, "bench")
        for number in range(20):
            body = {"content_type": "hub", "keyword_primary": f"keyword {number}", "title": f"Title {number}"}
            tenant.call("POST", "/v1/aso/content", json=body)
        address = f"{ours}/{QUERY}"
        # Events of the writes are still on their way and invalidate what is read meanwhile.
        wait_for(lambda: not cloud.dispatcher.pending(), what="no delivery under way")
        wait_for(lambda: _state(address, tenant) == "HIT", what="the read is cached")
        generation, answer = _keys(tenant)
        (folder / "main.py").write_text(BARE_FUNCTION)
        (folder / "application.py").write_text(FASTAPI_APPLICATION)
        environment = {"REDIS_URL": cloud.settings.redis_url, "GENERATION_KEY": generation, "ANSWER_KEY": answer}
        with (
            server(framework_command("bare", bare_port), bare_port, folder, {}) as bare_pid,
            _uvicorn(folder, environment) as fast,
            _uvicorn(folder, environment, "--loop", "asyncio", "--http", "h11") as plain,
        ):
            loads = _loads(
                {
                    "ours": Target(url=address, headers=tenant.headers, pid=ours_pid),
                    "fast": fast,
                    "plain": plain,
                    "bare": Target(url=f"http://{LOOPBACK}:{bare_port}/", headers={}, pid=bare_pid),
                }
            )
            paced = drive(address, tenant.headers, connections=CONNECTIONS, seconds=SECONDS, rate=MODERATE)
    return _report(loads, paced)


PEERS = {
    "fast": "FastAPI on uvicorn[standard]",
    "plain": "FastAPI on plain uvicorn",
    "bare": "a bare function",
}


def _report(loads: Mapping[str, Found], paced: Load) -> list[Measurement]:
    if paced.errors:
        raise RuntimeError(f"answers other than 200: {paced}")
    ours = loads["ours"]
    lines = []
    for peer, name in PEERS.items():
        ratio, aim = ours.per_second / loads[peer].per_second, "" if peer == "bare" else "at least 1"
        lines.append(
            Measurement(
                name=f"cached read, closed loop, {CONNECTIONS} connections",
                ours=f"{ours.per_second:.0f} a second",
                peer=f"{name}: {loads[peer].per_second:.0f} a second",
                ratio=ratio,
                aim=aim,
                met=ratio >= 1 if aim else None,
            )
        )
    lines += [
        Measurement(
            name="processor time of the server for each answer",
            ours=f"{ours.processor:.0f} µs",
            peer=f"{name}: {loads[peer].processor:.0f} µs",
            ratio=ours.processor / loads[peer].processor,
        )
        for peer, name in PEERS.items()
    ]
    lines.append(
        Measurement(
            name=f"cached read at {MODERATE:.0f} requests a second",
            ours=f"p50 {paced.p50:.1f} ms, p99 {paced.p99:.1f} ms",
            peer="",
            ratio=None,
            aim="p99 below 10 ms",
            met=paced.p99 < 10,
        )
    )
    return lines
