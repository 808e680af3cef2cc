"""What one process sets up once: settings, logs and clients."""

from __future__ import annotations

import functools

from common import logs
from common.clients.registry import Clients
from common.settings import Settings


@functools.cache
def process_clients() -> Clients:
    """Return the clients of this process; the first call validates the settings and configures the logs.

    Raises:
        ConfigurationError: The environment is wrong; the process must not serve.
    """
    settings = Settings.from_environment()
    logs.configure(settings)
    return Clients(settings)


def start() -> None:
    """Set the process up before the first request, so that a wrong environment stops the deployment."""
    process_clients()
