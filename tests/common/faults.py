"""A Firestore client whose transport fails where a test says: before a commit, or after it and before the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.api_core import exceptions
from google.cloud import firestore

from common.clients.firestore import firestore_client
from common.clients.registry import Clients


class Death(BaseException):
    """The process died here."""


class FaultyTransport:
    """Passes every call on to the generated client, around the faults.

    Attributes:
        before: Raises or returns before a commit is sent.
        after: Raises or returns when the commit's answer has arrived.
        commits: How many commits were sent.
        unreachable: Whether every call fails as if there were no route.
    """

    def __init__(self, real: Any) -> None:
        self._real = real
        self.before: Callable[[], None] | None = None
        self.after: Callable[[], None] | None = None
        self.commits = 0
        self.unreachable = False

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if not self.unreachable or not callable(real):
            return real

        def call(*arguments: Any, retry: Any = None, **named: Any) -> Any:
            def once() -> Any:
                raise exceptions.ServiceUnavailable("no route")

            return (retry(once) if retry else once)()

        return call

    def commit(self, *arguments: Any, **named: Any) -> Any:
        """Commit, with the faults."""
        if self.unreachable:
            raise exceptions.ServiceUnavailable("no route")
        before, self.before = self.before, None
        if before is not None:
            before()
        self.commits += 1
        answer = self._real.commit(*arguments, **named)
        after, self.after = self.after, None
        if after is not None:
            after()
        return answer


def faulty(clients: Clients) -> tuple[Clients, FaultyTransport]:
    """Return clients of their own, like another process, with a Firestore transport that can fail."""
    own = Clients(clients.settings)
    client: firestore.Client = firestore_client(clients.settings)
    transport = FaultyTransport(client._firestore_api)
    client._firestore_api_internal = transport
    own.replace(firestore_client, client)
    return own, transport


def dies() -> None:
    """Die."""
    raise Death
