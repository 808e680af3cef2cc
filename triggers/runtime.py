"""What one process sets up once: settings and clients."""

from __future__ import annotations

import functools

from common.clients.registry import Clients
from common.settings import Settings


@functools.cache
def process_clients() -> Clients:
    """Return the clients of this process; the first call validates the settings.

    Raises:
        ConfigurationError: The environment is wrong; the process must not serve.
    """
    return Clients(Settings.from_environment())


def start() -> None:
    """Set the process up before the first request, so that a wrong environment stops the deployment."""
    process_clients()
