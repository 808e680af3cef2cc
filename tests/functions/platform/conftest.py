"""Functions of the platform, served by the framework's own entry point against the session's emulators."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import functions_framework
import pytest
from werkzeug.test import Client, TestResponse

from common.clients.bigquery import bigquery_client
from common.settings import Settings
from tests.stack import TestEmulators
from tests.warehouse_guard import guarded
from triggers.local.identity import Addresses
from triggers.manifest import ROOT
from triggers.runtime import process_clients

OPERATOR_KEY = "an-operators-key-of-these-tests-only"


@pytest.fixture(scope="module")
def serve(
    settings: Settings, emulators: TestEmulators, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Client]]:
    """Return what serves an operation of the platform by its name."""
    keys = tmp_path_factory.mktemp("operators") / "keys"
    keys.write_text(f"sha256:{hashlib.sha256(OPERATOR_KEY.encode()).hexdigest()}\n", encoding="utf-8")
    before = dict(os.environ)
    os.environ.update(
        {
            **emulators.environment(),
            "XYNERGY_ENVIRONMENT": "local",
            "GOOGLE_CLOUD_PROJECT": settings.project,
            "REDIS_URL": settings.redis_url,
            "XYNERGY_FUNCTION_URL": settings.function_url,
            "XYNERGY_INVOKER": settings.invoker,
            "XYNERGY_CURSOR_KEY": settings.cursor_key,
            "XYNERGY_OPERATOR_KEYS_FILE": str(keys),
        }
    )
    process_clients.cache_clear()

    def client(operation: str) -> Client:
        source = Path(ROOT, "functions", "platform", f"{operation}.py")
        return Client(functions_framework.create_app(operation, str(source)))

    with guarded(process_clients().get(bigquery_client)):
        yield client
    process_clients.cache_clear()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def operator() -> dict[str, str]:
    """Headers of a platform operator."""
    return {"Authorization": f"Bearer {OPERATOR_KEY}"}


@pytest.fixture
def deliver(serve: Callable[[str], Client], settings: Settings) -> Callable[..., TestResponse]:
    """Return what delivers JSON to a function of the platform as its invoker: an event, a task, a schedule's run."""
    addresses = Addresses(settings)

    def post(function: str, body: object, headers: Mapping[str, str] | None = None) -> TestResponse:
        operation = function.removeprefix("platform-").replace("-", "_")
        bearer = {"Authorization": addresses.authorization(function)}
        return serve(operation).post("/", json=body, headers={**bearer, **(headers or {})})

    return post
