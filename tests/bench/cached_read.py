"""A cached read under the production server, against a bare function and against FastAPI on uvicorn.

Ours authenticates, checks tenant and scope, counts the call against its limit, looks the answer up, and logs the
request. The bare function does nothing; FastAPI does the same Redis read and nothing else.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import requests

from common.clients.redis import redis_client
from common.clients.registry import Clients
from tests.bench.load import Load
from tests.bench.load import run as drive
from tests.bench.peers import BARE_FUNCTION, FASTAPI_APPLICATION
from tests.bench.report import Measurement
from tests.bench.stack import Tenant, create_tenant, framework_command, local_cloud, served_bundle, server
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


def _loads(targets: Mapping[str, tuple[str, Mapping[str, str]]]) -> dict[str, Load]:
    """Load the targets in turns, so that noise meets all of them, and keep each one's median round."""
    rounds: dict[str, list[Load]] = {name: [] for name in targets}
    for url, headers in targets.values():
        drive(url, headers, connections=CONNECTIONS, seconds=1.0)
    for _ in range(ROUNDS):
        for name, (url, headers) in targets.items():
            rounds[name].append(drive(url, headers, connections=CONNECTIONS, seconds=SECONDS))
    median = {name: statistics.median_low([one.per_second for one in loads]) for name, loads in rounds.items()}
    return {name: next(one for one in loads if one.per_second == median[name]) for name, loads in rounds.items()}


def run() -> list[Measurement]:
    """Measure all three in one run."""
    with (
        tempfile.TemporaryDirectory() as name,
        local_cloud() as cloud,
        served_bundle(FUNCTION) as (ours, _),
    ):
        folder, bare_port, fast_port = Path(name), free_port(), free_port()
        tenant = create_tenant(cloud, "bench")
        for number in range(20):
            body = {"content_type": "hub", "keyword_primary": f"keyword {number}", "title": f"Title {number}"}
            tenant.call("POST", "/v1/aso/content", json=body)
        address = f"{ours}/{QUERY}"
        states = [requests.get(address, headers=tenant.headers, timeout=10).headers.get("X-Cache") for _ in range(2)]
        if states[-1] != "HIT":
            raise RuntimeError(f"the read is not cached: {states}")
        generation, answer = _keys(tenant)
        (folder / "main.py").write_text(BARE_FUNCTION)
        (folder / "application.py").write_text(FASTAPI_APPLICATION)
        environment = {"REDIS_URL": cloud.settings.redis_url, "GENERATION_KEY": generation, "ANSWER_KEY": answer}
        uvicorn = [sys.executable, "-m", "uvicorn", "application:application", "--host", LOOPBACK]
        uvicorn += ["--port", str(fast_port), "--no-access-log", "--log-level", "warning"]
        with (
            server(framework_command("bare", bare_port), bare_port, folder, {}),
            server(uvicorn, fast_port, folder, environment),
        ):
            loads = _loads(
                {
                    "ours": (address, tenant.headers),
                    "bare": (f"http://{LOOPBACK}:{bare_port}/", {}),
                    "fastapi": (f"http://{LOOPBACK}:{fast_port}/", {}),
                }
            )
            paced = drive(address, tenant.headers, connections=CONNECTIONS, seconds=SECONDS, rate=MODERATE)
    return _report(loads, paced)


def _report(loads: Mapping[str, Load], paced: Load) -> list[Measurement]:
    if any(load.errors for load in (*loads.values(), paced)):
        raise RuntimeError(f"answers other than 200: {loads}, {paced}")
    ours = loads["ours"].per_second
    lines = []
    for peer, name, aim in (("fastapi", "FastAPI on uvicorn", "at least 1"), ("bare", "bare function", "")):
        ratio = ours / loads[peer].per_second
        lines.append(
            Measurement(
                name=f"cached read, closed loop, {CONNECTIONS} connections",
                ours=f"{ours:.0f} a second",
                peer=f"{name}: {loads[peer].per_second:.0f} a second",
                ratio=ratio,
                aim=aim,
                met=ratio >= 1 if aim else None,
            )
        )
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
