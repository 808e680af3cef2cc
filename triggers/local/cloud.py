"""The local cloud: emulators, gateways and the host of every function, started and stopped as one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from common.clients.registry import Clients
from common.errors import ConfigurationError
from common.settings import Settings
from triggers.local import persistence, resources
from triggers.local.accounts import Accounts
from triggers.local.accounts_server import TOOLKIT, AccountsServer
from triggers.local.authentication import firebase_auth
from triggers.local.control import ControlServer
from triggers.local.deliveries import Dispatcher
from triggers.local.documents import DocumentGateway
from triggers.local.emulators import Emulators
from triggers.local.functions import MANIFEST_FILE, read_manifest
from triggers.local.identity import Addresses
from triggers.local.key_file import key_file
from triggers.local.messages import MessageGateway
from triggers.local.overview import Overview
from triggers.local.processes import LOOPBACK, ProcessTable, Service, accepts, free_port, is_free
from triggers.local.schedules import Scheduler
from triggers.local.tasks import Queues, TaskServer

PROJECT = "demo-xynergy"
PORT = 8080
RETRY_SCALE = 0.02
"""Waits between tries are this much shorter than in production: 10 seconds become 0.2."""

DELIVERIES = 40
"""Deliveries under way at once; fewer than the host has threads, so that callers are always answered."""

KEY_PREFIX = "xyn_"


class LocalCloud:
    """Everything that Google Cloud is to the functions, on this machine.

    Attributes:
        url: Address of every function.
        project: Google Cloud project id.
        operator_key: Key of a platform operator, made anew at each start.
        settings: Settings of the functions.
        services: Every process by name (``firestore``, ``pubsub``, ``bigquery``, ``redis``, ``storage``, ``host``),
            each with ``stop()`` and ``start()`` that keep its port.
        folder: Data folder; logs lie in ``logs``.
        dispatcher: Makes every delivery: ``pause``, ``resume``, ``duplicate``, ``recent``.
        scheduler: ``fire(function)`` runs a schedule now.
        messages: ``publish(topic, data, attributes)`` publishes by hand.
        queues: The queues of Cloud Tasks.
        ready_after: Seconds the start took.
    """

    url: str
    operator_key: str
    settings: Settings
    dispatcher: Dispatcher
    scheduler: Scheduler
    messages: MessageGateway
    queues: Queues

    def __init__(
        self,
        *,
        port: int = PORT,
        project: str = PROJECT,
        data: Path | None = None,
        emulators: Emulators | None = None,
        schedules: bool = True,
        retry_scale: float = RETRY_SCALE,
        log_format: Literal["console", "json"] = "console",
        with_firebase_auth: bool = False,
        manifest: Path = MANIFEST_FILE,
        tell: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Choose, without starting anything.

        Args:
            port: Port of the functions; a free one is taken instead if it is in use or 0.
            project: Google Cloud project id.
            data: Folder in which data survives a restart (messages on their way do not: Pub/Sub keeps them in memory);
                None forgets everything at the end.
            emulators: Emulators that run already; they are not stopped at the end.
            schedules: Whether schedules fire by themselves.
            retry_scale: Factor of the waits between tries, against production.
            log_format: How the functions log.
            with_firebase_auth: Whether the Firebase Auth emulator is started.
            manifest: Manifest of the functions to host.
            tell: Called with a sentence at each step of the start.
        """
        self.project = project
        self.services: dict[str, Service] = {}
        self.ready_after = 0.0
        self._port = port
        self._data = data
        self._emulators = emulators
        self._own_emulators = emulators is None
        self._schedules = schedules
        self._scale = retry_scale
        self._log_format = log_format
        self._with_firebase_auth = with_firebase_auth
        self._manifest = manifest
        self._tell = tell
        self._table = ProcessTable() if emulators is None else emulators.table
        self._stack = contextlib.ExitStack()

    def start(self) -> None:
        """Start everything and wait until all of it is ready.

        Raises:
            ConfigurationError: Something cannot be started; what did start is stopped again.
        """
        began = time.monotonic()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        self.ready_after = time.monotonic() - began

    def stop(self) -> None:
        """Stop everything this object started, the latest first; leaves no process."""
        self._stack.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def restart_host(self) -> None:
        """End the process that serves the functions, as a crash would, and start it again."""
        self.services["host"].stop()
        self.services["host"].start()

    def _start(self) -> None:
        self.functions = read_manifest(self._manifest)
        self.folder = self._folder()
        if self._own_emulators:
            self._stack.callback(self._table.close)
        emulators = self._launch_emulators()
        port = self._port if self._port and is_free(self._port) else free_port()
        task_port, control_port = free_port(), free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        environment = self._environment(emulators, task_port)
        self.settings = Settings.from_environment(environment)
        self._stack.enter_context(_variables(environment))
        host = self._host(port, control_port, environment)
        self._stack.callback(host.stop)
        host.launch()
        self._wait_for(emulators)
        self._provide(emulators, task_port)
        self._stack.callback(self._close_control(control_port))
        self._tell("starting the functions")
        host.wait()
        self._open_gates()

    def _folder(self) -> Path:
        if self._data is not None:
            folder = self._data.absolute()
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        temporary = Path(tempfile.mkdtemp(prefix="xynergy-local-"))
        self._stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        return temporary

    def _launch_emulators(self) -> Emulators:
        if self._emulators is None or self._own_emulators:
            self._tell("looking for the emulators")
            self._emulators = Emulators(self.folder, table=self._table, keep=self._data is not None, tell=self._tell)
            self._stack.callback(self._emulators.stop)
            self._emulators.launch()
        self.services.update(self._emulators.services)
        if self._with_firebase_auth:
            auth = firebase_auth(self._table, self.folder, self.project)
            self.services[auth.name] = auth
            self._stack.callback(auth.stop)
            auth.launch()
        return self._emulators

    def _environment(self, emulators: Emulators, task_port: int) -> dict[str, str]:
        self.operator_key = KEY_PREFIX + secrets.token_urlsafe(32)
        keys = self.folder / "operator-keys"
        keys.write_text(f"sha256:{hashlib.sha256(self.operator_key.encode()).hexdigest()}\n", encoding="utf-8")
        environment = {
            **emulators.environment(),
            "CLOUD_TASKS_EMULATOR_HOST": f"{LOOPBACK}:{task_port}",
            "GOOGLE_CLOUD_PROJECT": self.project,
            "XYNERGY_ENVIRONMENT": "local",
            "XYNERGY_FUNCTION_URL": self.url + "/{function}",
            "XYNERGY_INVOKER": "{function}@" + self.project + ".iam.gserviceaccount.com",
            "XYNERGY_OPERATOR_KEYS_FILE": str(keys),
            "XYNERGY_ALLOWED_ORIGINS": f"{self.url},{self.url.replace(LOOPBACK, 'localhost')}",
            "XYNERGY_CURSOR_KEY": self._cursor_key(),
            "XYNERGY_KMS_KEY": f"file:{key_file(self.folder)}",
            "XYNERGY_LOG_FORMAT": self._log_format,
        }
        environment["XYNERGY_IDENTITY_URL"] = self._identity_provider()
        if self._with_firebase_auth:
            environment["FIREBASE_AUTH_EMULATOR_HOST"] = f"{LOOPBACK}:{self.services['firebase-auth'].port}"
        return environment

    def _identity_provider(self) -> str:
        """Return the address of the Identity Toolkit: our own, unless Google's emulator was asked for."""
        if self._with_firebase_auth:
            return f"http://{LOOPBACK}:{self.services['firebase-auth'].port}{TOOLKIT}"
        keep = None if self._data is None else self.folder / "accounts.json"
        server = AccountsServer(Accounts(self.project, keep))
        server.start()
        self._stack.callback(server.stop)
        return server.toolkit

    def _cursor_key(self) -> str:
        file = self.folder / "cursor-key"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(32), encoding="utf-8")
        return file.read_text(encoding="utf-8")

    def _host(self, port: int, control_port: int, environment: dict[str, str]) -> Service:
        command = [sys.executable, "-m", "triggers.local.host", "--port", str(port), "--control", str(control_port)]
        command += ["--manifest", str(self._manifest.absolute())]
        root = Path(__file__).parent.parent.parent
        host = Service(
            name="host",
            table=self._table,
            command=command,
            port=port,
            log=self.folder / "logs" / "host.log",
            ready=lambda: accepts(port),
            environment={**environment, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(root)},
            directory=root,
        )
        self.services["host"] = host
        return host

    def _wait_for(self, emulators: Emulators) -> None:
        for service in self.services.values():
            if service.name != "host":
                service.wait()
                self._tell(f"{service.name} is ready")
        if self._data is not None:
            documents = self.folder / "firestore" / "export"
            if persistence.import_documents(emulators.firestore, self.project, documents):
                self._tell("documents of the last run are back")
            self._stack.callback(persistence.export_documents, emulators.firestore, self.project, documents)

    def _provide(self, emulators: Emulators, task_port: int) -> None:
        self._tell("creating topics, subscriptions, queues, buckets and data sets")
        addresses = Addresses(self.settings)
        self.dispatcher = Dispatcher(DELIVERIES)
        self._stack.callback(self.dispatcher.close)
        self.messages = MessageGateway(
            functions=self.functions,
            domains=resources.domains(),
            project=self.project,
            dispatcher=self.dispatcher,
            addresses=addresses,
            retry_scale=self._scale,
        )
        self.messages.create()
        self._stack.callback(self.messages.stop)
        self._documents = DocumentGateway(
            functions=self.functions,
            project=self.project,
            firestore=emulators.firestore,
            events=emulators.events,
            dispatcher=self.dispatcher,
            addresses=addresses,
            retry_scale=self._scale,
        )
        self._documents.start()
        self._stack.callback(self._documents.stop)
        self.queues = Queues(self.dispatcher, project=self.project, retry_scale=self._scale)
        resources.create_queues(self.queues, self.functions, self.project, self.settings.region)
        keep = None if self._data is None else self.folder / "tasks.json"
        self._task_server = TaskServer(self.queues, task_port, keep)
        resources.create_storage(Clients(self.settings))
        self.scheduler = Scheduler(self.functions, self.dispatcher, addresses, retry_scale=self._scale)

    def _close_control(self, control_port: int) -> Callable[[], None]:
        control = ControlServer(Overview(self, schedules_enabled=self._schedules), control_port)
        control.start()
        return control.stop

    def _open_gates(self) -> None:
        self._task_server.start()
        self._stack.callback(self._task_server.stop)
        self.messages.start()
        self._stack.callback(self.scheduler.stop)
        if self._schedules:
            self.scheduler.start()


@contextlib.contextmanager
def _variables(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the client libraries of this process, and put them back."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


__all__ = ["ConfigurationError", "LocalCloud"]
