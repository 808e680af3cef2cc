"""The Firebase Auth emulator: optional, because it is large and the local cloud accepts unsigned tokens without it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from common.errors import ConfigurationError
from triggers.local.processes import LOOPBACK, ProcessTable, Service, accepts, free_port

ADVICE = (
    "The Firebase Auth emulator is part of firebase-tools: install Node.js 20 or newer, then"
    " 'npm install -g firebase-tools'; or start without --firebase-auth."
)


def firebase_auth(table: ProcessTable, folder: Path, project: str) -> Service:
    """Return the emulator's service, not started yet.

    Raises:
        ConfigurationError: firebase-tools is not installed; with what to install.
    """
    binary = shutil.which("firebase")
    if binary is None:
        raise ConfigurationError(ADVICE)
    port = free_port()
    directory = folder / "firebase-auth"
    directory.mkdir(parents=True, exist_ok=True)
    emulators = {
        "auth": {"host": LOOPBACK, "port": port},
        "ui": {"enabled": False},
        "hub": {"host": LOOPBACK, "port": free_port()},
        "logging": {"host": LOOPBACK, "port": free_port()},
    }
    (directory / "firebase.json").write_text(json.dumps({"emulators": emulators}), encoding="utf-8")
    return Service(
        name="firebase-auth",
        table=table,
        command=[binary, "emulators:start", "--only", "auth", "--project", project],
        port=port,
        log=folder / "logs" / "firebase-auth.log",
        ready=lambda: accepts(port),
        directory=directory,
    )
