"""The functions of search optimisation, served through the framework as deployed and called by their routes."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import functions_framework
import pytest
from werkzeug.test import Client, TestResponse

from common.clients.bigquery import bigquery_client
from common.clients.registry import Clients
from common.settings import Settings
from tests.common.security import store_key, store_tenant
from tests.stack import TestEmulators
from tests.warehouse_guard import guarded
from triggers.manifest import ROOT, load_manifest
from triggers.runtime import process_clients


@dataclass
class Front:
    """Finds the function of a route, as the front door does.

    Attributes:
        apps: Clients of the functions that were called before.
    """

    apps: dict[str, Client] = field(default_factory=dict)

    def app(self, method: str, route: str) -> Client:
        """Return a client of the function that serves a route."""
        for entry in load_manifest():
            if entry["kind"] != "http" or entry["method"] != method:
                continue
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", entry["path"]), route):
                name, file = entry["entry_point"], str(ROOT / entry["file"])
                if name not in self.apps:
                    self.apps[name] = functions_framework.create_app(name, file).test_client()
                return self.apps[name]
        raise LookupError(f"no function serves {method} {route}")


@dataclass(frozen=True)
class Api:
    """Calls operations as one tenant.

    Attributes:
        front: Finds the function.
        tenant_id: Whose key it is.
        key: The API key.
    """

    front: Front
    tenant_id: str
    key: str

    def __call__(
        self, method: str, route: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> TestResponse:
        """Send one request; ``body`` is sent as JSON."""
        more: dict[str, Any] = {} if body is None else {"json": body}
        client = self.front.app(method, route.partition("?")[0])
        return client.open(
            route, method=method, headers={"Authorization": f"Bearer {self.key}", **(headers or {})}, **more
        )


@pytest.fixture(scope="module")
def process(settings: Settings, emulators: TestEmulators) -> Iterator[Clients]:
    """The clients of this process, set up from the environment as a deployed function does it."""
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
        }
    )
    process_clients.cache_clear()
    with guarded(process_clients().get(bigquery_client)):
        yield process_clients()
    process_clients.cache_clear()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def front(process: Clients) -> Front:
    """The functions, served."""
    return Front()


def tenant_api(front: Front, clients: Clients, **key: Any) -> Api:
    """Return calls as a new tenant with a key of its own."""
    tenant_id = f"tenant_{uuid.uuid4().hex[:12]}"
    store_tenant(clients, tenant_id)
    return Api(front, tenant_id, store_key(clients, tenant_id, key_id=f"key-{uuid.uuid4()}", **key))


@pytest.fixture
def api(front: Front, process: Clients) -> Api:
    """Calls as a tenant nobody else has, with a key that may write."""
    return tenant_api(front, process)


@pytest.fixture
def stranger(front: Front, process: Clients) -> Api:
    """Calls as another tenant."""
    return tenant_api(front, process)


@pytest.fixture
def reader(api: Api, process: Clients) -> Api:
    """Calls as the tenant of ``api`` with a key that may read only."""
    key = store_key(process, api.tenant_id, key_id=f"key-{uuid.uuid4()}", scopes=("aso:read",))
    return Api(api.front, api.tenant_id, key)
