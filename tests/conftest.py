"""Fixtures of every test: emulators started once per session, settings and clients apart per module."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from common.clients.registry import Clients
from common.settings import Settings
from tests.common.aso.search_console_api.server import SearchConsoleServer, search_console
from tests.oauth import OAuthServer, oauth_server
from tests.planted import searched, tapped
from tests.serp import KEYS, SerpServer, serp_server
from tests.stack import Stack, TenantHandle, TestEmulators, local_stack


@pytest.fixture(autouse=True)
def _nothing_leaks() -> Iterator[None]:
    """Put the environment and the root logger back as they were before the test."""
    environment = dict(os.environ)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)
    root.handlers[:], root.level = handlers, level


@pytest.fixture(scope="session")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestEmulators]:
    """The emulators of the session, started once; the client libraries find them through the environment."""
    running = TestEmulators.prepare(Path(tmp_path_factory.mktemp("emulators")))
    before = dict(os.environ)
    try:
        running.start()
        os.environ.update(running.environment())
        with searched(running):
            yield running
    finally:
        for name in running.environment():
            os.environ.pop(name, None)
        os.environ.update({name: value for name, value in before.items() if name in running.environment()})
        running.stop()


@pytest.fixture(scope="module")
def settings(request: pytest.FixtureRequest, emulators: TestEmulators) -> Settings:
    """Settings of a local environment with a project and a Redis database of this module's own."""
    return emulators.settings(request.module.__name__.rpartition(".")[2].removeprefix("test_"))


@pytest.fixture(scope="module")
def clients(settings: Settings) -> Clients:
    """Clients of the emulators for ``settings``."""
    return Clients(settings)


@pytest.fixture(scope="session")
def search_console_server() -> Iterator[SearchConsoleServer]:
    """The Search Console API that the local cloud calls; tests give it properties of their own."""
    with search_console() as running:
        yield running


@pytest.fixture(scope="session")
def serp_providers() -> Iterator[SerpServer]:
    """The providers of result pages that the local cloud calls; tests give them results of their own keywords."""
    with serp_server() as running:
        yield running


@pytest.fixture(scope="session")
def oauth_provider() -> Iterator[OAuthServer]:
    """The provider of accounts that the local cloud links at; tests give it people of their own."""
    with oauth_server() as running:
        yield running


@pytest.fixture(scope="session")
def cloud_environment(
    search_console_server: SearchConsoleServer, serp_providers: SerpServer, oauth_provider: OAuthServer
) -> Mapping[str, str]:
    """The settings of a local cloud of tests that are not those of every local cloud."""
    return {
        # The tests of limits have settings of their own; all others share one operator and would soon be refused.
        "XYNERGY_RATE_LIMITS": "standard=1000000,expensive=1000000,ai=1000000,failures=1000000",
        # Web sites of tests are servers on this machine.
        "XYNERGY_FETCH_LOOPBACK": "1",
        "XYNERGY_SEARCH_CONSOLE_URL": search_console_server.url,
        "XYNERGY_RANK_TRACKING": serp_providers.deployment("serpapi", "dataforseo"),
        "XYNERGY_RANK_PROVIDER_KEYS": json.dumps(KEYS),
        "XYNERGY_OAUTH_CLIENTS": oauth_provider.clients(),
    }


@pytest.fixture(scope="session")
def cloud(emulators: TestEmulators, cloud_environment: Mapping[str, str]) -> Iterator[Stack]:
    """The local cloud with this repository's functions, on the emulators of the session, started once.

    Schedules fire by hand only (``cloud.fire``), so that no test depends on the clock. At the end no function may have
    tried what it did not declare (``triggers.local.permitted``).
    """
    with local_stack(cloud_environment, emulators) as stack, tapped(stack):
        yield stack
        log = stack.local.services["host"].log.read_text(encoding="utf-8", errors="replace")
        undeclared = {line for line in log.splitlines() if "does not declare" in line}
        assert not undeclared, "functions did what they have no permission for"


@pytest.fixture
def tenant(cloud: Stack) -> TenantHandle:
    """A tenant of this test's own, active, with an API key that may do everything a tenant may."""
    return cloud.tenant()
