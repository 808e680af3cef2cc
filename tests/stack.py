"""What tests need of the local cloud: emulators, settings, clients, and waiting for a condition."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from common.settings import Settings
from triggers.local.deliveries import Dispatcher
from triggers.local.emulators import Emulators
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
    """

    __test__ = False

    services: Emulators
    task_server: TaskServer
    dispatcher: Dispatcher
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
                **(extra or {}),
            }
        )
