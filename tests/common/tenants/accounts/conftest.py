"""Settings under which the provider of tests is called."""

from __future__ import annotations

import pytest

from common.settings import Settings
from tests.oauth import OAuthServer
from tests.stack import TestEmulators

ORIGIN = "https://app.example"


@pytest.fixture(scope="module")
def settings(request: pytest.FixtureRequest, emulators: TestEmulators, oauth_provider: OAuthServer) -> Settings:
    """Settings of a deployment that is registered with the provider of tests."""
    return emulators.settings(
        request.module.__name__.rpartition(".")[2].removeprefix("test_"),
        {
            "XYNERGY_OAUTH_CLIENTS": oauth_provider.clients(),
            "XYNERGY_FETCH_LOOPBACK": "1",
            "XYNERGY_ALLOWED_ORIGINS": ORIGIN,
        },
    )
