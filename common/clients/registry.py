"""Clients of outside services: built lazily, once per process, by type of factory.

A factory is a plain function ``(Settings) -> client`` in a module of its own (``common.clients.firestore``, ...), so a
function pays only for the imports of the clients it uses. Tests replace a factory's client at the transport instead of
patching modules.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from common.settings import Settings

Client = TypeVar("Client")
Factory = Callable[[Settings], Client]


class Clients:
    """The clients of one process; thread-safe.

    Attributes:
        settings: The settings that factories are called with.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._built: dict[Callable[[Settings], Any], Any] = {}
        self._lock = threading.RLock()

    def get(self, factory: Callable[[Settings], Client]) -> Client:
        """Return the one client of ``factory``, building it on first use."""
        built = self._built.get(factory)
        if built is None:
            with self._lock:
                built = self._built.get(factory)
                if built is None:
                    built = self._built[factory] = factory(self.settings)
        return cast("Client", built)

    def replace(self, factory: Callable[[Settings], Client], client: Client) -> None:
        """Use ``client`` wherever ``factory`` is asked for, from now on."""
        with self._lock:
            self._built[factory] = client
