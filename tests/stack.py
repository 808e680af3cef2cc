"""What tests need of the local cloud: emulators, settings, clients, and waiting for a condition."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests

from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.settings import Settings
from triggers.local.cloud import LocalCloud
from triggers.local.deliveries import Dispatcher
from triggers.local.emulators import Emulators
from triggers.local.functions import Http, declared, read_manifest
from triggers.local.key_file import key_file
from triggers.local.processes import LOOPBACK, ProcessTable, free_port
from triggers.local.tasks import Queues, TaskServer

Found = TypeVar("Found")


def wait_for(condition: Callable[[], Found], deadline: float = 30, every: float = 0.05, what: str = "") -> Found:
    """Poll until ``condition`` returns something true, and return it.

    Args:
        condition: Called again and again; an ``AssertionError`` it raises counts as false.
        deadline: Seconds after which the test fails.
        every: Seconds between two looks.
        what: Named in the failure.

    Raises:
        AssertionError: The deadline passed; with the last value or assertion.
    """
    end = time.monotonic() + deadline
    last: object = None
    while True:
        try:
            found = condition()
        except AssertionError as failure:
            last = failure
        else:
            if found:
                return found
            last = found
        if time.monotonic() > end:
            raise AssertionError(f"{what or 'condition'} not met within {deadline} s; last: {last!r}")
        time.sleep(every)


@dataclass
class TestEmulators:
    """The emulators of one test session, shared by all tests; projects and Redis databases keep tests apart.

    Attributes:
        services: The emulators, each with ``start()`` and ``stop()``.
        task_server: The Cloud Tasks server; a test creates the queues it needs.
        dispatcher: Makes the calls of the tasks.
        projects: Projects that tests store documents in.
    """

    __test__ = False

    services: Emulators
    task_server: TaskServer
    dispatcher: Dispatcher
    projects: set[str] = field(default_factory=set)
    _databases: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def prepare(cls, folder: Path) -> TestEmulators:
        """Prepare without starting."""
        dispatcher = Dispatcher()
        return cls(Emulators(folder, table=ProcessTable()), TaskServer(Queues(dispatcher), free_port()), dispatcher)

    def start(self) -> None:
        """Start everything."""
        self.services.start()
        self.task_server.start()

    def stop(self) -> None:
        """End everything."""
        self.task_server.stop()
        self.dispatcher.close()
        self.services.stop()
        self.services.table.close()

    @property
    def tasks(self) -> str:
        """``host:port`` of the Cloud Tasks server."""
        return f"{LOOPBACK}:{self.task_server.port}"

    @property
    def firestore(self) -> str:
        """``host:port`` of Firestore."""
        return self.services.firestore

    @property
    def pubsub(self) -> str:
        """``host:port`` of Pub/Sub."""
        return self.services.pubsub

    @property
    def bigquery(self) -> str:
        """Address of BigQuery."""
        return self.services.bigquery

    @property
    def redis(self) -> str:
        """Address of Redis, database 0."""
        return self.services.redis

    @property
    def storage(self) -> str:
        """Address of Cloud Storage."""
        return self.services.storage

    def environment(self) -> dict[str, str]:
        """Return the variables by which the client libraries find the emulators."""
        return {**self.services.environment(), "CLOUD_TASKS_EMULATOR_HOST": self.tasks}

    def settings(self, name: str, extra: Mapping[str, str] | None = None) -> Settings:
        """Return settings with a project and a Redis database nobody else uses.

        Args:
            name: Part of the project id, for people.
            extra: More variables of ``common.settings``.
        """
        project = f"test-{name.replace('_', '-').replace('.', '-').lower()[-14:].strip('-')}-{uuid.uuid4().hex[:8]}"
        self.projects.add(project)
        database = next(self._databases)
        return Settings.from_environment(
            {
                **self.environment(),
                "REDIS_URL": self.redis.removesuffix("/0") + f"/{database}",
                "XYNERGY_ENVIRONMENT": "local",
                "GOOGLE_CLOUD_PROJECT": project,
                "XYNERGY_FUNCTION_URL": "http://127.0.0.1:9/{function}",
                "XYNERGY_INVOKER": "{function}@" + project + ".iam.gserviceaccount.com",
                "XYNERGY_CURSOR_KEY": "signs-cursors-of-tests-only-0123",
                "XYNERGY_KMS_KEY": f"file:{key_file(self.services.folder)}",
                **(extra or {}),
            }
        )


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A client of the interface with a credential.

    Attributes:
        url: Address of the local cloud.
        headers: Sent with every request.
    """

    url: str
    headers: Mapping[str, str]

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request; ``headers`` among the options are added to the caller's own."""
        headers = {**self.headers, **options.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=60, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> requests.Response:
        """POST a JSON body."""
        return self.request("POST", path, **self._json(body), **options)

    def put(self, path: str, body: object = None, **options: Any) -> requests.Response:
        """PUT a JSON body."""
        return self.request("PUT", path, **self._json(body), **options)

    def patch(self, path: str, body: object = None, **options: Any) -> requests.Response:
        """PATCH with a JSON body."""
        return self.request("PATCH", path, **self._json(body), **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        """DELETE."""
        return self.request("DELETE", path, **options)

    @staticmethod
    def _json(body: object) -> dict[str, Any]:
        return {} if body is None else {"json": body}


@dataclass(frozen=True, kw_only=True)
class TenantHandle:
    """A tenant made for a test.

    Attributes:
        tenant_id: Its id.
        key: An API key of it.
        client: Calls with that key.
    """

    tenant_id: str
    key: str
    client: Caller


def all_scopes() -> list[str]:
    """Return every scope that an operation for tenants asks for."""
    operations = declared(read_manifest(), Http)
    return sorted({found.scope for _, found in operations if found.scope and found.tenancy == "tenant"})


class Stack:
    """The running local cloud of the test session, with this repository's functions.

    Attributes:
        local: The local cloud itself: ``services``, ``dispatcher``, ``scheduler``, ``messages``, ``settings``.
        clients: Clients of its emulators, for looking behind the interface.
        operator: Calls with a platform operator's key.
        anonymous: Calls without a credential.
    """

    def __init__(self, local: LocalCloud) -> None:
        self.local = local
        self.clients = Clients(local.settings)
        self.anonymous = Caller(url=local.url, headers={})
        self.operator = Caller(url=local.url, headers={"Authorization": f"Bearer {local.operator_key}"})

    @property
    def url(self) -> str:
        """Address of every function."""
        return self.local.url

    @property
    def settings(self) -> Settings:
        """Settings of the functions."""
        return self.local.settings

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET as the operator."""
        return self.operator.get(path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> requests.Response:
        """POST as the operator."""
        return self.operator.post(path, body, **options)

    def fire(self, function: str) -> None:
        """Run a schedule now, as its button at ``/_local`` does."""
        assert self.post(f"/_local/schedules/{function}/fire").status_code == 202

    def key(self, tenant_id: str, scopes: Sequence[str] | None = None, role: str = "admin") -> TenantHandle:
        """Make another API key of a tenant, with every scope unless told otherwise."""
        body = {"name": "test", "scopes": all_scopes() if scopes is None else list(scopes), "role": role}
        made = self.post(f"/v1/tenants/{tenant_id}/api-keys", body)
        assert made.status_code == 201, made.text
        key = made.json()["key"]
        headers = {"Authorization": f"Bearer {key}", "X-Tenant-ID": tenant_id}
        return TenantHandle(tenant_id=tenant_id, key=key, client=Caller(url=self.url, headers=headers))

    def tenant(self, tenant_id: str | None = None, **options: Any) -> TenantHandle:
        """Make a tenant, wait until it is active, and make a key; ``options`` are those of ``key``."""
        tenant_id = tenant_id or f"t{uuid.uuid4().hex[:12]}"
        body = {"tenant_id": tenant_id, "name": f"Test {tenant_id}", "tier": "enterprise"}
        made = self.post("/v1/tenants", body)
        assert made.status_code == 201, made.text
        self.wait_for(
            lambda: self.get(f"/v1/tenants/{tenant_id}").json()["status"] == "active", what=f"{tenant_id} is active"
        )
        return self.key(tenant_id, **options)

    @staticmethod
    def wait_for(condition: Callable[[], Found], deadline: float = 30, what: str = "") -> Found:
        """Poll until ``condition`` returns something true, and return it."""
        return wait_for(condition, deadline, what=what)

    def documents(self) -> Iterator[tuple[str, str]]:
        """Yield path and fields of every document of the project, technical ones included."""
        for collection in self.clients.get(firestore_client).collections():
            # One query for all that lies below, at any depth: asking each document for its collections takes minutes.
            for snapshot in collection.recursive().stream(timeout=120):
                yield snapshot.reference.path, str(snapshot.to_dict())

    def settled(self, deadline: float = 60) -> None:
        """Wait until no delivery of a document or a message waits or is under way."""
        wait_for(self._quiet, deadline, every=0.2, what="every delivery is made")

    def _quiet(self) -> bool:
        # Two looks apart: what a delivery sets off is on its way through an emulator for some milliseconds.
        for _ in range(3):
            if self.local.dispatcher.pending():
                return False
            threading.Event().wait(0.1)
        return True


@contextmanager
def local_stack(
    environment: Mapping[str, str], emulators: TestEmulators | None = None, project: str = "test-cloud"
) -> Iterator[Stack]:
    """Run a local cloud whose schedules fire by hand only.

    Args:
        environment: Settings besides those of every local cloud.
        emulators: Those of the session; its own ones without.
        project: Project of its documents and messages.
    """
    services = None
    if emulators:
        emulators.projects.add(project)
        services = emulators.services
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        local = LocalCloud(port=0, project=project, emulators=services, schedules=False, log_format="json")
        with local:
            yield Stack(local)
