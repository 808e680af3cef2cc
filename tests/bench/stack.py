"""What benchmarks start: emulators, the local cloud with a tenant, and one function under its production server."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.stack import TestEmulators, wait_for
from triggers.bundle import build_bundles
from triggers.local.cloud import LocalCloud
from triggers.local.processes import LOOPBACK, accepts, free_port

UNLIMITED = "standard=100000000,expensive=100000000,ai=100000000,failures=100000000"
ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A tenant of a running local cloud.

    Attributes:
        tenant_id: Its id.
        headers: Credential headers of its key.
    """

    cloud: LocalCloud
    tenant_id: str
    headers: Mapping[str, str]

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Call an operation; anything but success is an error."""
        answer = requests.request(method, f"{self.cloud.url}{path}", headers=self.headers, timeout=60, **options)
        answer.raise_for_status()
        return answer


@contextmanager
def emulators() -> Iterator[TestEmulators]:
    """Run the emulators without the functions; the client libraries find them through the environment."""
    with tempfile.TemporaryDirectory() as folder:
        running = TestEmulators.prepare(Path(folder))
        before = dict(os.environ)
        try:
            running.start()
            os.environ.update(running.environment())
            yield running
        finally:
            running.stop()
            os.environ.clear()
            os.environ.update(before)


@contextmanager
def local_cloud() -> Iterator[LocalCloud]:
    """Run the whole local cloud without rate limits and without schedules that fire by themselves."""
    before = os.environ.get("XYNERGY_RATE_LIMITS")
    os.environ["XYNERGY_RATE_LIMITS"] = UNLIMITED
    try:
        with LocalCloud(port=free_port(), schedules=False) as cloud:
            yield cloud
    finally:
        if before is None:
            del os.environ["XYNERGY_RATE_LIMITS"]
        else:
            os.environ["XYNERGY_RATE_LIMITS"] = before


def create_tenant(cloud: LocalCloud, tenant_id: str) -> Tenant:
    """Create a tenant with a key, and wait until its data sets are there."""
    operator = {"Authorization": f"Bearer {cloud.operator_key}"}
    body = {"tenant_id": tenant_id, "name": tenant_id, "tier": "pro"}
    requests.post(f"{cloud.url}/v1/tenants", headers=operator, json=body, timeout=60).raise_for_status()
    place = f"{cloud.url}/v1/tenants/{tenant_id}"
    wait_for(lambda: requests.get(place, headers=operator, timeout=60).json()["status"] == "active", deadline=60)
    key = {"name": "bench", "role": "admin", "scopes": ["aso:write", "jobs:read"]}
    made = requests.post(f"{place}/api-keys", headers=operator, json=key, timeout=60)
    made.raise_for_status()
    return Tenant(cloud=cloud, tenant_id=tenant_id, headers={"Authorization": f"Bearer {made.json()['key']}"})


@contextmanager
def server(command: Sequence[str], port: int, folder: Path, extra: Mapping[str, str]) -> Iterator[int]:
    """Run a server process until the block ends, on one processor as a deployed function; yields its process id."""
    with (folder / f"server-{port}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **extra}, stdout=log, stderr=log)
        try:
            if hasattr(os, "sched_setaffinity"):  # Linux; elsewhere a server may use every processor
                os.sched_setaffinity(process.pid, {0})
            wait_for(lambda: accepts(port), deadline=30, what=f"{command[0]} listening")
            yield process.pid
        finally:
            process.terminate()
            process.wait(10)


def framework_command(target: str, port: int) -> list[str]:
    """Return the command of the production server of one function."""
    script = "from functions_framework._cli import _cli; _cli()"
    arguments = ["--source", "main.py", "--host", LOOPBACK, "--port", str(port), "--target", target]
    return [sys.executable, "-c", script, *arguments]


@contextmanager
def served_bundle(function: str) -> Iterator[tuple[str, int]]:
    """Serve a function from its own bundle under the production server; yields its address and process id."""
    with tempfile.TemporaryDirectory() as folder:
        bundles = build_bundles(out=Path(folder))
        unpacked = Path(folder) / "source"
        with zipfile.ZipFile(Path(folder) / "bundles" / bundles[function]["file"]) as archive:
            archive.extractall(unpacked)
        port = free_port()
        command = framework_command(bundles[function]["entry_point"], port)
        with server(command, port, unpacked, {"PYTHONPATH": str(unpacked)}) as pid:
            yield f"http://{LOOPBACK}:{port}", pid
