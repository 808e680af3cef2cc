"""Clients that do what a function declared and refuse everything else, as its service account is refused in the cloud.

The emulators know no permissions: without this, a permission that nobody declared is missed in production first. What
is refused raises what Google's client raises there. Reading and writing are told apart for Firestore, queues by the
function they call, topics by name. For BigQuery and Cloud Storage it is told whether any permission was declared: what
a statement needs is known to BigQuery only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

from google.api_core.exceptions import PermissionDenied
from google.cloud import firestore

from common.clients.bigquery import bigquery_client
from common.clients.firestore import firestore_client
from common.clients.identity import identity_provider
from common.clients.pubsub import publisher_client
from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.clients.signing import account_signer
from common.clients.storage import storage_client
from common.clients.tasks import tasks_client
from common.crypto.wrapping import key_encryption
from common.settings import Settings

Client = TypeVar("Client")

NEEDED: Mapping[Callable[[Settings], Any], str] = {
    bigquery_client: "bigquery:",
    firestore_client: "firestore:",
    identity_provider: "firebase:administer",
    key_encryption: "kms:use",
    account_signer: "storage:sign",
    storage_client: "storage:",
    publisher_client: "pubsub:publish:",
    tasks_client: "tasks:enqueue:",
}
"""How a permission begins that lets a function have a client; all others are free."""


class Permitted(Clients):
    """The clients of the process as one function may use them."""

    def __init__(self, process: Clients, function: str, needs: Iterable[str]) -> None:
        super().__init__(process.settings)
        self._process = process
        self._function = function
        self._needs = frozenset(needs)

    def get(self, factory: Callable[[Settings], Client]) -> Client:
        """Return the process's client, as far as the function may use it.

        Raises:
            PermissionDenied: It declared no permission that this client is for.
        """
        if factory is redis_client and "redis:use" not in self._needs:
            return cast("Client", None)  # a function that does not ask for Redis is not told where it is
        needed = NEEDED.get(factory)
        if needed is not None and not any(each.startswith(needed) for each in self._needs):
            raise self._refusal(f"{needed}*" if needed.endswith(":") else needed)
        if factory is firestore_client and "firestore:write" not in self._needs:
            return cast("Client", self._process.get(reading_firestore))
        client = self._process.get(factory)
        if factory is tasks_client:
            return cast("Client", _Queues(client, self._require))
        if factory is publisher_client:
            return cast("Client", _Topics(client, self._require))
        return client

    def replace(self, factory: Callable[[Settings], Client], client: Client) -> None:
        """Use ``client`` in the whole process wherever ``factory`` is asked for."""
        self._process.replace(factory, client)

    def _require(self, permission: str) -> None:
        if permission not in self._needs:
            raise self._refusal(permission)

    def _refusal(self, permission: str) -> PermissionDenied:
        return PermissionDenied(f"{self._function} does not declare {permission}")


def reading_firestore(settings: Settings) -> firestore.Client:
    """Build a Firestore client that writes nothing (a factory for ``Clients.get``)."""
    client = firestore_client(settings)
    client._firestore_api_internal = _Reading(client._firestore_api)  # noqa: SLF001 - the library has no other place
    return client


class _Reading:
    """Firestore's generated client without its writing calls; transactions that only read are committed."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def commit(self, request: Mapping[str, Any], **options: Any) -> Any:
        if request["writes"]:
            raise PermissionDenied("the function does not declare firestore:write")
        return self._real.commit(request=request, **options)

    def batch_write(self, request: Mapping[str, Any], **options: Any) -> Any:
        del request, options
        raise PermissionDenied("the function does not declare firestore:write")


class _Asking:
    """A client some of whose calls ask for a permission first; all others are handed on."""

    def __init__(self, real: Any, require: Callable[[str], None]) -> None:
        self._real = real
        self._require = require

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class _Queues(_Asking):
    """The client of Cloud Tasks, for the queues of some functions."""

    def create_task(self, request: Mapping[str, Any], **options: Any) -> Any:
        self._require(f"tasks:enqueue:{request['parent'].rpartition('/')[2]}")
        return self._real.create_task(request=request, **options)


class _Topics(_Asking):
    """The publisher, for some topics."""

    def publish(self, topic: str, data: bytes, **options: Any) -> Any:
        self._require(f"pubsub:publish:{topic.rpartition('/')[2]}")
        return self._real.publish(topic, data, **options)
