"""Memory: a served function of each kind from its own bundle, and the whole local cloud.

The functions answer real requests before they are measured, so that their clients are built: the deliveries that the
local cloud makes to them are recorded and made again. What the processes of a server share is counted once. Libraries
that other programs of the machine have loaded as well count in full for a function, which has its machine for itself,
and in part for the local cloud (proportional set size).
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil
import requests

from tests.bench.report import Measurement
from tests.bench.stack import ROOT, Tenant, create_tenant, local_cloud, served_bundle, server
from tests.stack import wait_for
from triggers.local.cloud import LocalCloud
from triggers.local.deliveries import Call, Delivery
from triggers.local.processes import free_port

MEGABYTE = 1_000_000
REQUESTS = 100
FUNCTION_AIM, CLOUD_AIM = 160, 1000
READ = "aso-content-list"
"""Function of kind HTTP; uses Firestore and Redis."""
DELIVERED = {
    "message": "aso-warehouse-sync",
    "document": "platform-relay-shared",
    "schedule": "platform-warehouse-merge",
    "task": "platform-warehouse-merge-table",
}
BARE = "import functions_framework\n\n\n@functions_framework.http\ndef bare(request):\n    return ''\n"


def alone(pid: int) -> float:
    """Return the memory of a process and its descendants as if nothing else ran, in MB."""
    # The worker's includes what it shares with the process it was forked from; of the others, what only they have.
    parent = psutil.Process(pid)
    sizes = [each.memory_full_info() for each in (parent, *parent.children(recursive=True))]
    worker = max(sizes, key=lambda size: size.rss)
    return (worker.rss + sum(size.uss for size in sizes if size is not worker)) / MEGABYTE


def megabytes(pid: int) -> float:
    """Return the proportional set size of a process and its descendants, in MB."""
    parent = psutil.Process(pid)
    return sum(each.memory_full_info().pss for each in (parent, *parent.children(recursive=True))) / MEGABYTE


class Recorder:
    """Keeps the calls of the deliveries that a local cloud makes, while it makes them."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.calls: dict[str, list[Call]] = {}
        self._submit = cloud.dispatcher.submit
        cloud.dispatcher.submit = self._record  # type: ignore[method-assign]

    def _record(self, delivery: Delivery, delay: float = 0.0) -> None:
        self.calls.setdefault(delivery.function, []).append(delivery.compose(delivery))
        self._submit(delivery, delay)


def _use(cloud: LocalCloud, tenant: Tenant) -> None:
    """Make changes that reach every kind of function."""
    for number in range(20):
        body = {"content_type": "hub", "keyword_primary": f"keyword {number}", "title": f"Title {number}"}
        tenant.call("POST", "/v1/aso/content", json=body)


def _merged(cloud: LocalCloud, recorder: Recorder) -> bool:
    """Fire the schedule, which creates a task once the mark of a changed table is there."""
    cloud.scheduler.fire(DELIVERED["schedule"])
    return DELIVERED["task"] in recorder.calls


def _served(function: str, calls: Sequence[Call]) -> float:
    with served_bundle(function) as (url, pid):
        for call in itertools.islice(itertools.cycle(calls), REQUESTS):
            path = call.url.partition("?")[2]
            address = f"{url}/?{path}" if path else url
            answer = requests.request(call.method, address, headers=dict(call.headers), data=call.body, timeout=60)
            answer.raise_for_status()
        return alone(pid)


def _cloud_alone() -> float:
    """Return the memory of the local cloud as ``nox -s serve`` starts it, before anybody uses it."""
    with tempfile.TemporaryDirectory() as name:
        port = free_port()
        command = [sys.executable, "-m", "triggers.local", "--port", str(port)]
        with server(command, port, Path(name), {"PYTHONPATH": str(ROOT)}) as pid:
            ready = f"http://127.0.0.1:{port}/v1/health"
            wait_for(lambda: requests.get(ready, timeout=10).ok, deadline=60)
            return megabytes(pid)


def _bare() -> float:
    """Return the memory of a function that does nothing."""
    from tests.bench.stack import framework_command

    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "main.py").write_text(BARE)
        port = free_port()
        with server(framework_command("bare", port), port, Path(name), {}) as pid:
            for _ in range(REQUESTS):
                requests.get(f"http://127.0.0.1:{port}/", timeout=10).raise_for_status()
            return alone(pid)


def run() -> list[Measurement]:
    """Measure the local cloud alone, then the functions and the cloud after some use."""
    bare, alone = _bare(), _cloud_alone()
    with local_cloud() as cloud:
        recorder = Recorder(cloud)
        tenant = create_tenant(cloud, "bench")
        _use(cloud, tenant)
        wait_for(lambda: DELIVERED["message"] in recorder.calls, deadline=60)
        wait_for(lambda: _merged(cloud, recorder), deadline=60, every=2)
        used = megabytes(psutil.Process().pid)
        read = Call(url=f"{cloud.url}/?status=draft&limit=20", headers=tenant.headers, method="GET")
        found = {f"{READ} (http)": _served(READ, [read])}
        for kind, function in DELIVERED.items():
            found[f"{function} ({kind})"] = _served(function, recorder.calls[function])
    return list(_report(found, bare, alone, used))


def _report(found: Mapping[str, float], bare: float, alone: float, used: float) -> Iterator[Measurement]:
    for name, memory in found.items():
        yield Measurement(
            name=f"{name}, after {REQUESTS} requests",
            ours=f"{memory:.0f} MB",
            peer=f"a bare function: {bare:.0f} MB",
            ratio=memory / bare,
            aim=f"at most {FUNCTION_AIM} MB",
            met=memory <= FUNCTION_AIM,
        )
    for name, memory in (("after its start", alone), ("after some use, this benchmark included", used)):
        yield Measurement(
            name=f"whole local cloud, {name}",
            ours=f"{memory:.0f} MB",
            peer="",
            ratio=None,
            aim=f"at most {CLOUD_AIM} MB",
            met=memory <= CLOUD_AIM,
        )
