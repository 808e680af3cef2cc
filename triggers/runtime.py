"""What one process sets up once: settings and clients."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from common.clients.registry import Clients
from common.settings import Settings


@functools.cache
def process_clients() -> Clients:
    """Return the clients of this process; the first call validates the settings.

    Raises:
        ConfigurationError: The environment is wrong; the process must not serve.
    """
    return Clients(Settings.from_environment())


CLIENTS = "xynergy.clients"
"""Key of the WSGI environment under which a server may bring other clients; no header can have it."""


def clients_of(environ: Mapping[str, Any]) -> Clients:
    """Return the clients that a request is served with: the process's, or those that the server brings.

    The local cloud serves every function in one process and brings clients that do what the function declared only.
    """
    brought: Clients | None = environ.get(CLIENTS)
    return process_clients() if brought is None else brought


def start() -> None:
    """Set the process up before the first request, so that a wrong environment stops the deployment."""
    process_clients()
