"""What the local cloud says while it starts and runs: for a terminal, for a pipe, or as JSON lines."""

from __future__ import annotations

import json
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.status import Status

from triggers.local.cloud import LocalCloud


class Display(Protocol):
    """Shows the start, then the lines of the functions."""

    def step(self, text: str) -> None:
        """Show one step of the start."""
        ...

    def ready(self, cloud: LocalCloud) -> None:
        """Show that everything is ready."""
        ...

    def stopping(self) -> None:
        """Show that the end has begun."""
        ...

    def line(self, text: str) -> None:
        """Show one line of a log."""
        ...

    def failed(self, reason: str) -> None:
        """Show why the start failed."""
        ...


def facts(cloud: LocalCloud) -> dict[str, str]:
    """Return what a person wants to know once it runs."""
    return {
        "Functions": cloud.url,
        "Operations": f"{cloud.url}/v1/docs",
        "Control": f"{cloud.url}/_local",
        "Sign-in": cloud.settings.identity_url,
        "Project": cloud.project,
        "Operator key": cloud.operator_key,
        "Data and logs": str(cloud.folder),
    }


class TerminalDisplay:
    """A line that changes while it starts, then the functions' log; plain lines where there is no terminal."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._status: Status | None = None
        self._began = time.monotonic()

    def step(self, text: str) -> None:
        """Show one step of the start."""
        seconds = time.monotonic() - self._began
        self._console.print(f"{seconds:5.1f} s  {text}", markup=False)
        if self._console.is_terminal:
            if self._status is None:
                self._status = self._console.status("starting the local cloud")
                self._status.start()
            self._status.update(f"starting the local cloud: {text}")

    def ready(self, cloud: LocalCloud) -> None:
        """Show that everything is ready."""
        self._end_status()
        self._console.print(f"\nReady after {cloud.ready_after:.1f} s; Ctrl-C stops everything.\n", markup=False)
        for name, value in facts(cloud).items():
            self._console.print(f"  {name:14} {value}", markup=False)
        self._console.print()

    def stopping(self) -> None:
        """Show that the end has begun."""
        self._end_status()
        self._console.print("\nstopping", markup=False)

    def line(self, text: str) -> None:
        """Show one line of a log."""
        self._console.print(text, markup=False)

    def failed(self, reason: str) -> None:
        """Show why the start failed."""
        self._end_status()
        Console(stderr=True, highlight=False, soft_wrap=True).print(reason, markup=False)

    def _end_status(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


class JsonDisplay:
    """One JSON object a line, with the fields of Cloud Logging."""

    def step(self, text: str) -> None:
        """Show one step of the start."""
        self._write("INFO", text)

    def ready(self, cloud: LocalCloud) -> None:
        """Show that everything is ready."""
        named = {name.lower().replace(" ", "_"): value for name, value in facts(cloud).items()}
        self._write("NOTICE", "ready", seconds=round(cloud.ready_after, 2), **named)

    def stopping(self) -> None:
        """Show that the end has begun."""
        self._write("INFO", "stopping")

    def line(self, text: str) -> None:
        """Show one line of a log; a line that is not JSON becomes the message of one."""
        if text.startswith("{"):
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        else:
            self._write("DEFAULT", text)

    def failed(self, reason: str) -> None:
        """Show why the start failed."""
        self._write("ERROR", reason)

    @staticmethod
    def _write(severity: str, message: str, **fields: object) -> None:
        record = {"time": datetime.now(UTC).isoformat(), "severity": severity, "message": message, **fields}
        sys.stdout.write(json.dumps(record) + "\n")
        sys.stdout.flush()


class LogFollower:
    """Shows what is appended to a log file."""

    def __init__(self, file: Path, display: Display) -> None:
        self._file = file
        self._display = display
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-follower", daemon=True)

    def start(self) -> None:
        """Begin at the end of what is there."""
        self._thread.start()

    def stop(self) -> None:
        """Show no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with self._file.open(encoding="utf-8", errors="replace") as log:
            log.seek(0, 2)
            partial = ""
            while not self._stop.wait(0.2):
                *lines, partial = (partial + log.read()).split("\n")
                for line in lines:
                    self._display.line(line)
