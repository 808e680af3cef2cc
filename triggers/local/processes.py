"""Processes of the local cloud: each in a group of its own, logging to a file, and none outliving the supervisor."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from common.errors import ConfigurationError
from triggers.local.watchdog import RUN_VARIABLE

LOOPBACK = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 8.0


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Tell whether ``port`` can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def accepts(port: int) -> bool:
    """Tell whether something listens on ``port``."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=0.5):
        return True
    return False


class ProcessTable:
    """The processes of one run, watched by ``triggers.local.watchdog``.

    Attributes:
        run: Id of the run; every process carries it in its environment.
    """

    def __init__(self) -> None:
        self.run = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._watchdog: subprocess.Popen[bytes] | None = None

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """Return the environment for a process of this run."""
        return {**os.environ, **extra, RUN_VARIABLE: self.run}

    def add(self, group: int) -> None:
        """Have ``group`` ended when the supervisor goes."""
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        """Forget a group that has ended."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._watchdog is None:
                script = str(Path(__file__).with_name("watchdog.py"))
                self._watchdog = subprocess.Popen(
                    [sys.executable, "-I", "-S", script, self.run], stdin=subprocess.PIPE, start_new_session=True
                )
            assert self._watchdog.stdin is not None
            self._watchdog.stdin.write(line.encode())
            self._watchdog.stdin.flush()

    def close(self) -> None:
        """End the watchdog, and with it whatever still runs."""
        with self._lock:
            if self._watchdog is not None:
                assert self._watchdog.stdin is not None
                self._watchdog.stdin.close()
                self._watchdog.wait()
                self._watchdog = None


class Service:
    """One server process that can be stopped and started again on the same port.

    Attributes:
        name: For people and the log file.
        port: Port it listens on.
        log: File its output goes to.
    """

    def __init__(
        self,
        *,
        name: str,
        table: ProcessTable,
        command: Sequence[str],
        port: int,
        log: Path,
        ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.port = port
        self.log = log
        self._table = table
        self._command = list(command)
        self._ready = ready
        self._environment = dict(environment or {})
        self._directory = directory
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id, while it runs."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.pid is not None

    def launch(self) -> None:
        """Start the process without waiting for it."""
        if self.running:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._table.environment(self._environment),
                cwd=self._directory,
                start_new_session=True,
            )
        self._table.add(self._process.pid)

    def wait(self, seconds: float = START_SECONDS) -> None:
        """Wait until it serves.

        Raises:
            ConfigurationError: It ended, or is not ready in time; with the end of its log.
        """
        end = time.monotonic() + seconds
        while not self._ready():
            if not self.running:
                raise ConfigurationError(f"{self.name} ended before it was ready:\n{self.log_tail()}")
            if time.monotonic() > end:
                raise ConfigurationError(f"{self.name} is not ready after {seconds:.0f} s:\n{self.log_tail()}")
            time.sleep(0.02)

    def start(self) -> None:
        """Start the process and wait until it serves."""
        self.launch()
        self.wait()

    def stop(self) -> None:
        """End the process and everything it started: politely, then for certain."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, self._stop_signal)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._table.remove(process.pid)

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
