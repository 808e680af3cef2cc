"""Changing documents of any entity without its model: for erasure and retention, which serve every domain.

It keeps every promise of the repository: the tenant is checked, unique values are freed, a deletion leaves a tombstone
that tells who did it, and the change feed makes the event of it. Only the declared entities' records are needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.field_path import FieldPath

from common.clients.firestore import firestore_client
from common.context import PLATFORM_TENANT, Context
from common.documents import META, SCHEMA_VERSION, TENANT_ID, meta_of
from common.entity import Unique
from common.firestore_calls import bounded, translated
from common.registry import EntityRecord
from common.store import Work
from common.tombstones import tombstone, tombstone_path
from common.uniqueness import Key, keys_by_rules

Snapshot = Any
"""The client's snapshot of a document."""

_NOTHING: Mapping[str, str] = MappingProxyType({})


def plain(value: object) -> Any:
    """Return a value of Firestore's client as deliveries carry it."""
    match value:
        case firestore.DocumentReference():
            return {"reference": value.path}
        case firestore.GeoPoint():
            return {"latitude": value.latitude, "longitude": value.longitude}
        case dict():
            return {name: plain(item) for name, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case _:
            return value


def parent(entity: EntityRecord, tenant_id: str) -> str:
    """Return the path of the collection with a tenant's documents."""
    return f"tenants/{tenant_id}/{entity.collection}" if entity.location == "tenant" else entity.collection


def query(context: Context, entity: EntityRecord) -> firestore.Query:
    """Return the query of a tenant's documents of an entity, to be narrowed."""
    if context.tenant_id == PLATFORM_TENANT:
        raise ValueError(f"{entity.name}: platform work names a tenant first (context.for_tenant)")
    found: firestore.Query = context.clients.get(firestore_client).collection(parent(entity, context.tenant_id))
    if entity.location == "shared":
        found = found.where(filter=FieldFilter(TENANT_ID, "==", context.tenant_id))
    return found


def read(work: Work, entity: EntityRecord, document_ids: Iterable[str]) -> list[Snapshot]:
    """Return those of some documents that exist and are the tenant's, read in the transaction."""
    context = work.context
    collection = context.clients.get(firestore_client).collection(parent(entity, context.tenant_id))
    references = [collection.document(name) for name in dict.fromkeys(document_ids)]
    if not references:
        return []
    client = context.clients.get(firestore_client)
    with translated():
        found = list(client.get_all(references, transaction=work.transaction.handle, **bounded(context.deadline)))
    return [each for each in found if each.exists and each.to_dict().get(TENANT_ID) == context.tenant_id]


def delete(work: Work, entity: EntityRecord, snapshot: Snapshot, *, noted: Mapping[str, str] = _NOTHING) -> None:
    """Delete a document that was read in the transaction, free its unique values and leave a tombstone.

    Args:
        work: The transaction.
        entity: What the document is.
        snapshot: The document.
        noted: More entries of the technical map, for the relay.
    """
    client = work.context.clients.get(firestore_client)
    reference, path = snapshot.reference, snapshot.reference.path
    for key in _keys(entity, work.context.tenant_id, path, snapshot.to_dict()).values():
        work.write(key.path, key.deleted(client))
    work.write(path, lambda batch: batch.delete(reference))
    marker = client.document(tombstone_path(path))
    fields = tombstone(path, work.context.tenant_id, {**meta_of(work.context), **noted}, snapshot.update_time)
    work.write(marker.path, lambda batch: batch.set(marker, fields))


def update(
    work: Work,
    entity: EntityRecord,
    snapshot: Snapshot,
    changes: Mapping[str, Any],
    *,
    noted: Mapping[str, str] = _NOTHING,
) -> None:
    """Set top-level fields of a document that was read in the transaction; unique values follow.

    Args:
        work: The transaction.
        entity: What the document is.
        snapshot: The document.
        changes: New values by stored name.
        noted: More entries of the technical map, for the relay.
    """
    client, tenant_id = work.context.clients.get(firestore_client), work.context.tenant_id
    reference, path, before = snapshot.reference, snapshot.reference.path, snapshot.to_dict()
    old = _keys(entity, tenant_id, path, before)
    new = _keys(entity, tenant_id, path, {**before, **changes})
    for name, key in old.items():
        if name not in new:
            work.write(name, key.deleted(client))
    for name, key in new.items():
        if name not in old:
            work.write(name, key.written(client, taken_over=False))
    stamp = {
        META: {**meta_of(work.context), **noted},
        SCHEMA_VERSION: before.get(SCHEMA_VERSION, entity.schema_version),
    }
    fields = {FieldPath(name).to_api_repr(): value for name, value in changes.items()} | stamp
    work.write(path, lambda batch: batch.update(reference, fields))


def _keys(entity: EntityRecord, tenant_id: str, path: str, fields: Mapping[str, Any]) -> dict[str, Key]:
    rules = {Unique(name=each.name, fields=each.fields, code=each.code): each.fields for each in entity.unique}
    scope = PLATFORM_TENANT if entity.key == TENANT_ID else tenant_id
    return keys_by_rules(entity.name, rules, scope, tenant_id, path, fields)
