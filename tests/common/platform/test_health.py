"""The platform's status when something that it depends on is down."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from common.clients.registry import Clients
from common.context import Context, Principal
from common.platform.health import service_status
from common.platform.models import ServiceStatus
from common.settings import Settings
from triggers.local.processes import free_port

Ask = Callable[..., ServiceStatus]


@pytest.fixture
def ask(settings: Settings) -> Ask:
    """Ask for the status of a platform whose settings differ."""

    def asked(**changes: object) -> ServiceStatus:
        clients = Clients(dataclasses.replace(settings, **changes))  # type: ignore[arg-type]  # names are the fields'
        principal = Principal(kind="operator", id="operator-1", role="operator", scopes=frozenset({"*"}))
        context = Context(function="tests", tenant_id=principal.tenant_id, principal=principal, clients=clients)
        return service_status(context)

    return asked


def without(settings: Settings, variable: str, address: str) -> tuple[tuple[str, str], ...]:
    return tuple({**dict(settings.emulators), variable: address}.items())


def test_all_well(ask: Ask) -> None:
    status = ask()
    assert status.status == "healthy"
    assert abs((datetime.now(UTC) - status.last_check).total_seconds()) < 60


def test_no_redis_is_degraded(ask: Ask) -> None:
    status = ask(redis_url="")
    assert (status.status, status.checks.redis.status) == ("degraded", "degraded")
    assert status.checks.firestore.status == "healthy"


def test_redis_down_is_degraded(ask: Ask) -> None:
    status = ask(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    assert (status.status, status.checks.redis.status) == ("degraded", "unhealthy")
    assert status.checks.redis.latency_ms is None
    assert status.checks.redis.detail == "ConnectionError"


def test_warehouse_down_is_degraded(ask: Ask, settings: Settings) -> None:
    status = ask(emulators=without(settings, "BIGQUERY_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}"))
    assert (status.status, status.checks.bigquery.status) == ("degraded", "unhealthy")


def test_firestore_down_is_unhealthy(ask: Ask) -> None:
    os.environ["FIRESTORE_EMULATOR_HOST"] = f"127.0.0.1:{free_port()}"
    status = ask()
    assert (status.status, status.checks.firestore.status) == ("unhealthy", "unhealthy")
    assert status.checks.bigquery.status == "healthy"
