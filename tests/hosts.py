"""A second process that serves the functions of a running local cloud, with an environment of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.stack import Stack
from triggers.local.functions import MANIFEST_FILE
from triggers.local.processes import LOOPBACK, ProcessTable, Service, accepts, free_port
from triggers.manifest import ROOT


@contextmanager
def another_host(stack: Stack, folder: Path, changes: Mapping[str, str]) -> Iterator[str]:
    """Serve every function once more and return the address.

    Args:
        stack: The running local cloud, whose emulators are used.
        folder: For the log.
        changes: Environment variables that differ.
    """
    port, table = free_port(), ProcessTable()
    command = ["-m", "triggers.local.host", "--port", str(port), "--control", "9", "--manifest", str(MANIFEST_FILE)]
    environment = {**os.environ, **_settings(stack), "PYTHONPATH": str(ROOT), **changes}
    host = Service(
        name="another-host",
        table=table,
        command=[sys.executable, *command],
        port=port,
        log=folder / "another-host.log",
        ready=lambda: accepts(port),
        environment=environment,
        directory=ROOT,
    )
    try:
        host.start()
        yield f"http://{LOOPBACK}:{port}"
    finally:
        host.stop()
        table.close()


def _settings(stack: Stack) -> dict[str, str]:
    settings = stack.settings
    return {
        "XYNERGY_ENVIRONMENT": "local",
        "GOOGLE_CLOUD_PROJECT": settings.project,
        "XYNERGY_FUNCTION_URL": settings.function_url,
        "XYNERGY_INVOKER": settings.invoker,
        "XYNERGY_OPERATOR_KEYS_FILE": settings.operator_keys_file,
        "XYNERGY_CURSOR_KEY": settings.cursor_key,
    }
