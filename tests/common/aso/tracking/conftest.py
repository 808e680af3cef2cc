"""Tenants whose ranks are tracked by providers that are a server of the test."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from common.aso import keywords
from common.aso.keyword_models import KeywordRow
from common.aso.site import service
from common.aso.site.models import SettingsInput
from common.clients.registry import Clients
from common.context import Context, Deadline
from tests.common.queues import make_queues
from tests.common.security import context_of
from tests.serp import KEYS, SerpServer, serp_server
from tests.stack import TestEmulators
from triggers.local.resources import create_storage

MakeTenant = Callable[..., Context]
QUEUES = ("aso-rank-fetch", "aso-rank-plan-tenant")


@pytest.fixture(scope="module")
def running() -> Iterator[SerpServer]:
    with serp_server() as server:
        yield server


@pytest.fixture
def server(running: SerpServer) -> SerpServer:
    """The providers; they know nothing and fail at nothing."""
    running.reset()
    return running


@pytest.fixture(scope="module")
def make_tenant(emulators: TestEmulators, running: SerpServer) -> MakeTenant:
    """Makes tenants with settings, each with breakers of its own; ``deployment`` are the deployment's limits."""
    module = emulators.settings("tracking", {"XYNERGY_FETCH_LOOPBACK": "1"})
    made: list[bool] = []

    def make(*names: str, deployment: Any = None, **fields: Any) -> Context:
        setting = running.deployment(*(names or ("serpapi", "dataforseo")), **(deployment or {}))
        settings = dataclasses.replace(
            module, rank_tracking=setting, rank_provider_keys=json.dumps(KEYS), redis_url="", function="tests"
        )
        clients = Clients(settings)
        if not made:
            make_queues(clients, *QUEUES)
            create_storage(clients)
            made.append(True)
        context = context_of(clients, f"tenant_{uuid.uuid4().hex[:12]}")
        context = dataclasses.replace(context, deadline=Deadline.after(120))
        body = {
            "site_hosts": ["example.com"],
            "competitors": ["rival.com"],
            "tracking": {"enabled": True, "depth": 20, **fields.pop("tracking", {})},
            **fields,
        }
        service.put(context, SettingsInput.model_validate(body))
        return context

    return make


def follow(context: Context, *texts: str, **fields: Any) -> list[str]:
    """Follow keywords; return their ids."""
    rows = [KeywordRow.model_validate({"keyword": text, **fields}) for text in texts]
    results = keywords.upsert(context, rows).rows
    return [row.value.keyword_id for row in results if row.value is not None]
