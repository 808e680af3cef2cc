"""What the tests of whole chains share: crashes, captured deliveries, the host's log, looks behind the interface."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import functions_framework
import requests
from werkzeug.test import Client

from common.clients.registry import Clients
from common.context import Context
from common.warehouse.query import rows
from tests.common.warehouse.conftest import context_for
from tests.stack import Stack, wait_for
from triggers.local.deliveries import Delivery
from triggers.local.processes import accepts
from triggers.manifest import ROOT, load_manifest

RELAY = "platform-relay-shared"
SYNC = "aso-warehouse-sync"
INVALIDATE = "aso-cache-invalidate"
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


def behind(cloud: Stack, tenant_id: str) -> Context:
    """Return circumstances for looking at the stores of a tenant; without Redis, so that no breaker is in the way."""
    return context_for(Clients(dataclasses.replace(cloud.settings, redis_url="")), tenant_id, seconds=280)


def crash(cloud: Stack) -> None:
    """Kill the process that serves the functions, without notice, and start it again."""
    host = cloud.local.services["host"]
    assert host.pid is not None
    os.killpg(host.pid, signal.SIGKILL)
    host.stop()
    wait_for(lambda: not accepts(host.port), what="the last process of the host is gone")
    host.start()


def served(function: str) -> Client:
    """Serve a function in this process, as the framework does."""
    [entry] = [entry for entry in load_manifest() if entry["name"] == function]
    client: Client = functions_framework.create_app(entry["entry_point"], str(ROOT / entry["file"])).test_client()
    return client


@contextlib.contextmanager
def paused(cloud: Stack, *functions: str) -> Iterator[None]:
    """Hold the deliveries of functions back until the block ends, whatever happens in it."""
    for function in functions:
        cloud.local.dispatcher.pause(function)
    try:
        yield
    finally:
        for function in functions:
            cloud.local.dispatcher.resume(function)


def captured(cloud: Stack, function: str, write: Callable[[], object], number: int = 1) -> list[Delivery]:
    """Return the deliveries to a function that a write sets off, before any of them is made."""
    dispatcher = cloud.local.dispatcher
    cloud.settled()
    with paused(cloud, function):
        write()
        wait_for(lambda: dispatcher.status()[function]["waiting"] == number, what=f"{number} deliveries to {function}")
        return dispatcher.withdraw(function, lambda _delivery: True)


def posted(delivery: Delivery) -> int:
    """Make a delivery by hand, once more; return the status."""
    call = delivery.compose(delivery)
    return requests.post(call.url, data=call.body, headers=dict(call.headers), timeout=60).status_code


def posted_to(app: Client, delivery: Delivery) -> int:
    """Make a delivery by hand to a function served in this process."""
    call = delivery.compose(delivery)
    return app.post("/", data=call.body, headers=dict(call.headers)).status_code


def logged(cloud: Stack, **fields: object) -> list[dict[str, Any]]:
    """Return the lines of the host's log that have the given fields."""
    lines = cloud.local.services["host"].log.read_text(encoding="utf-8", errors="replace").splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return [line for line in found if all(line.get(name) == value for name, value in fields.items())]


def changes(context: Context, table: str, key: str) -> list[tuple[str, str]]:
    """Return operation and event id of every row of the log of one document, duplicates and all."""
    sql = f"SELECT change_operation, change_event_id FROM {{{table}_changes}} WHERE appended_at >= @since"
    column = {"content_pieces": "content_id", "keywords": "keyword_id"}[table]
    found = rows(context, f"{sql} AND {column} = @key", {"since": BEGINNING, "key": key})
    return sorted((row["change_operation"], row["change_event_id"]) for row in found)


def job_ended(caller: Any, job_id: str) -> dict[str, Any]:
    """Return a job once it has ended; nothing before."""
    job: dict[str, Any] = caller.get(f"/v1/jobs/{job_id}").json()
    return job if job["status"] in {"succeeded", "failed", "cancelled"} else {}
