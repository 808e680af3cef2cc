"""Everything a tenant can have anything in: counted for plans and residue, erased at the end of its life.

Nothing here knows an entity by name. Documents are found by their ``tenant_id`` or by lying below the tenant, in every
collection there is, declared or not; tables by the data sets that declarations name; files and keys by the tenant in
their names. Erasing leaves no tombstones and no events: those would be residue themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from google.cloud.firestore_v1.base_query import FieldFilter

from common import dead_letters, objects, raw_documents
from common.clients.firestore import firestore_client
from common.context import Context
from common.firestore_calls import bounded, translated
from common.registry import entities
from common.technical import DATA_KEYS, DEAD_LETTERS
from common.tenants.deletion.cached import Cached
from common.tenants.deletion.tables import Tables

PAGE = 300
"""Documents of one listing and one commit."""

PATIENCE = 60.0
"""Seconds for one listing or commit."""

TENANT_ID = "tenant_id"
DIRECTORY = "tenants"

Alive = Callable[[], None]
"""Called between two pieces of work; raises where the run has to end."""


class Store(Protocol):
    """One place in which a tenant has things."""

    def count(self, context: Context) -> Mapping[str, int]:
        """Return how much there is by kind; nothing where there is nothing."""
        ...

    def erase(self, context: Context, alive: Alive) -> None:
        """Erase everything; harmless to repeat."""
        ...


class Files:
    """Objects below the tenant's prefix, in every bucket that functions may delete from.

    The archive of the audit trail is none of these: it holds hashes only, and nobody can delete from it.
    """

    def count(self, context: Context) -> Mapping[str, int]:
        """Return the number of objects by bucket."""
        counts = {bucket: sum(1 for _ in objects.all_paths(context, bucket)) for bucket in self._buckets(context)}
        return {bucket: count for bucket, count in counts.items() if count}

    def erase(self, context: Context, alive: Alive) -> None:
        """Delete them one by one."""
        for bucket in self._buckets(context):
            for path in objects.all_paths(context, bucket):
                objects.delete(context, bucket, path)
                alive()

    @staticmethod
    def _buckets(context: Context) -> list[str]:
        settings = context.clients.settings
        return [bucket for bucket in (settings.content_bucket, settings.report_bucket) if bucket]


class Documents:
    """Documents of entities, and whatever else lies below the tenant or in a top-level collection with its id."""

    def count(self, context: Context) -> Mapping[str, int]:
        """Return the number of documents by entity, and by collection where nobody declared it."""
        client, counts = context.clients.get(firestore_client), {}
        declared = {raw_documents.parent(entity, context.tenant_id): entity.name for entity in entities().values()}
        for path in self._collections(context):
            query = client.collection(path)
            if "/" not in path:
                query = _of_tenant(query, context)
            with translated():
                counts[declared.get(path, path.rpartition("/")[2])] = int(
                    query.count().get(**bounded(context.deadline, PATIENCE))[0][0].value
                )
        return {name: count for name, count in counts.items() if count}

    def erase(self, context: Context, alive: Alive) -> None:
        """Delete them, page by page."""
        client = context.clients.get(firestore_client)
        declared = {raw_documents.parent(entity, context.tenant_id) for entity in entities().values()}
        for path in self._collections(context):
            if "/" not in path:
                _delete_all(context, _of_tenant(client.collection(path), context), alive)
                continue
            if path not in declared:
                _delete_below(context, client.collection(path), alive)
            _delete_all(context, client.collection(path), alive)

    @staticmethod
    def _collections(context: Context) -> list[str]:
        """Return the paths of all top-level collections, and of those below the tenant."""
        client = context.clients.get(firestore_client)
        with translated():
            bounds = bounded(context.deadline, PATIENCE)
            top = [each.id for each in client.collections(**bounds) if each.id not in {DIRECTORY, "system"}]
            root = client.document(f"{DIRECTORY}/{context.tenant_id}")
            return sorted(top) + sorted(f"{root.path}/{each.id}" for each in root.collections(**bounds))


class TechnicalDocuments:
    """What the platform itself remembers of the tenant; its data keys have an end of their own."""

    def count(self, context: Context) -> Mapping[str, int]:
        """Return the number of documents by collection."""
        counts = {}
        for path, query in self._queries(context):
            with translated():
                counts[path] = int(query.count().get(**bounded(context.deadline, PATIENCE))[0][0].value)
        return {path: count for path, count in counts.items() if count}

    def erase(self, context: Context, alive: Alive) -> None:
        """Delete them, and what dead letters keep apart."""
        for path, query in self._queries(context):
            before = None
            if path == DEAD_LETTERS.path:
                before = lambda snapshot: dead_letters.forget_apart(context, snapshot.id)  # noqa: E731
            _delete_all(context, query, alive, before)

    @staticmethod
    def _queries(context: Context) -> Iterator[tuple[str, Any]]:
        client = context.clients.get(firestore_client)
        with translated():
            bounds = bounded(context.deadline, PATIENCE)
            kinds = list(client.collection("system").list_documents(**bounds))
            found = [each for kind in kinds for each in kind.collections(**bounds)]
        for collection in found:
            path = "/".join(collection._path)  # noqa: SLF001 - the library has no other name for it
            if path != DATA_KEYS.path:
                yield path, _of_tenant(collection, context)


def _of_tenant(query: Any, context: Context) -> Any:
    return query.where(filter=FieldFilter(TENANT_ID, "==", context.tenant_id))


def _delete_all(context: Context, query: Any, alive: Alive, before: Callable[[Any], None] | None = None) -> None:
    """Delete the documents of a query in pages by name, so that no page looks at what is gone already."""
    client, after = context.clients.get(firestore_client), None
    query = query.select([]).order_by("__name__").limit(PAGE)
    while True:
        asked = query if after is None else query.start_after({"__name__": after})
        with translated():
            page = list(asked.stream(**bounded(context.deadline, PATIENCE)))
            batch = client.batch()
            for snapshot in page:
                if before is not None:
                    before(snapshot)
                batch.delete(snapshot.reference)
            if page:
                batch.commit(**bounded(context.deadline, PATIENCE))
        if len(page) < PAGE:
            return
        after = page[-1].reference
        alive()


def _delete_below(context: Context, collection: Any, alive: Alive) -> None:
    """Delete what lies below the documents of a collection that nobody declared, missing documents included."""
    with translated():
        references = list(collection.list_documents(page_size=PAGE, **bounded(context.deadline, PATIENCE)))
    for reference in references:
        with translated():
            nested = list(reference.collections(**bounded(context.deadline, PATIENCE)))
        for each in nested:
            _delete_below(context, each, alive)
            _delete_all(context, each, alive)
        alive()


STORES: Mapping[str, Store] = {
    "files": Files(),
    "tables": Tables(),
    "documents": Documents(),
    "technical": TechnicalDocuments(),
    "cached": Cached(),
}
"""By step, in the order in which they are erased: what others are found by goes last."""


def everything(context: Context) -> dict[str, dict[str, int]]:
    """Return how much there is by store and kind; empty where there is nothing at all.

    Raises:
        Unavailable: A store does not answer.
    """
    counts = {name: dict(store.count(context)) for name, store in STORES.items()}
    return {name: found for name, found in counts.items() if found}
