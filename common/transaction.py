"""A Firestore transaction with deadlines: begun by its first read, committed once, never left holding its locks.

The client library's own transaction knows no timeouts and tells nobody whether a failed commit took effect, so this
one speaks to the same generated client directly.
"""
# The generated client, its metadata and the transaction's id are private names of the library: all uses are here.
# ruff: noqa: SLF001

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from google.api_core import exceptions
from google.cloud import firestore

from common.context import Deadline
from common.firestore_calls import bounded, translated

Write = Callable[[Any], None]
"""Adds one write to a batch."""


class Transaction:
    """Reads and then one atomic commit.

    Args:
        client: The Firestore client.
        deadline: When to give up.
    """

    def __init__(self, client: firestore.Client, deadline: Deadline) -> None:
        self._client = client
        self._deadline = deadline
        self._inner: Any = None

    @property
    def handle(self) -> Any:
        """The library's transaction object for reads; begins the transaction."""
        if self._inner is None:
            inner = self._client.transaction()
            with translated():
                begun = self._client._firestore_api.begin_transaction(
                    request={"database": self._client._database_string, "options": {"read_write": {}}},
                    metadata=self._client._rpc_metadata,
                    **bounded(self._deadline),
                )
            inner._id = begun.transaction
            self._inner = inner
        return self._inner

    def commit(self, writes: list[Write]) -> datetime:
        """Apply all writes or none; return the commit time.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: As Firestore said it; after a transient error other than
                ``Aborted`` it is not known whether the writes were applied.
        """
        batch = self._client.batch()
        for write in writes:
            write(batch)
        request: dict[str, Any] = {"database": self._client._database_string, "writes": batch._write_pbs}
        if self._inner is not None:
            request["transaction"] = self._inner.id
        response = self._client._firestore_api.commit(
            request=request,
            metadata=self._client._rpc_metadata,
            **bounded(self._deadline, retried=False),
        )
        self._inner = None
        return response.commit_time  # type: ignore[no-any-return]

    def close(self) -> None:
        """Release the locks of a transaction that was not committed; if that fails they expire by themselves."""
        inner, self._inner = self._inner, None
        if inner is None:
            return
        try:
            self._client._firestore_api.rollback(
                request={"database": self._client._database_string, "transaction": inner.id},
                metadata=self._client._rpc_metadata,
                retry=None,
                timeout=1.0,
            )
        except exceptions.GoogleAPICallError:
            return
