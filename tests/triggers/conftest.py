"""Functions served through the framework, against the session's emulators."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from common.clients.registry import Clients
from common.settings import Settings
from tests.stack import TestEmulators
from tests.triggers.serving import Function, load, tenant_key
from triggers.runtime import process_clients


@pytest.fixture(scope="module")
def process(settings: Settings, emulators: TestEmulators) -> Iterator[Clients]:
    """The clients of this process, set up from the environment as a deployed function does it."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("XYNERGY_")]:
        del os.environ[name]  # a local cloud of another module may be running with settings of its own
    os.environ.update(
        {
            **emulators.environment(),
            "XYNERGY_ENVIRONMENT": "local",
            "GOOGLE_CLOUD_PROJECT": settings.project,
            "REDIS_URL": settings.redis_url,
            "XYNERGY_FUNCTION_URL": settings.function_url,
            "XYNERGY_INVOKER": settings.invoker,
            "XYNERGY_CURSOR_KEY": settings.cursor_key,
            "XYNERGY_ALLOWED_ORIGINS": "https://app.example.com",
        }
    )
    process_clients.cache_clear()
    yield process_clients()
    process_clients.cache_clear()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def function(process: Clients) -> Callable[[str], Function]:
    """Serve one of the fixtures by its operation."""
    loaded: dict[str, Function] = {}

    def get(operation: str) -> Function:
        if operation not in loaded:
            loaded[operation] = load(operation, process.settings)
        return loaded[operation]

    return get


@pytest.fixture(scope="module")
def key(process: Clients) -> dict[str, str]:
    """Headers of a key of the tenant ``acme`` that may do everything here."""
    return tenant_key(process, "acme", ("demo:write",))


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """Return the JSON lines logged since the last call."""

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]

    return lines
