"""A key in a transaction: the entity, and the record by its hash that authentication reads, always changed together.

Keys from before there was an entity have their record only, with every field in it and ``replaced_by`` among them
(None in most), which records have not had since. Such a key is taken over when something about it changes, and by
``common.tenants.keys.upkeep`` otherwise; until then it is accepted as ever. A record is still one that revisions from
before can read: while a deployment is rolled out, or back, both kinds serve the same customers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from common.answers import Record
from common.api_keys import key_path
from common.clients.firestore import firestore_client
from common.context import Context
from common.errors import NotFound
from common.firestore_calls import bounded, translated
from common.store import Work
from common.technical import API_KEYS as RECORDS
from common.tenants.keys.entities import API_KEYS
from common.tenants.keys.models import KeyDocument

OLD = "replaced_by"
"""Field of records from before the entity."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A key as a transaction has read it.

    Attributes:
        document: Everything about the key but the key and its hash.
        entity: The entity as it is stored; None for a key from before there was one.
        snapshot: The record by the hash.
    """

    document: KeyDocument
    entity: Record[KeyDocument] | None
    snapshot: Any

    @property
    def digest(self) -> str:
        """The key's hash."""
        return str(self.snapshot.id)


def create(work: Work, digest: str, document: KeyDocument) -> None:
    """Store a new key."""
    work.create(API_KEYS, document)
    path = key_path(digest)
    reference = work.context.clients.get(firestore_client).document(path)
    work.write(path, lambda batch: batch.create(reference, record_of(document)))


def held(work: Work, key_id: str) -> Held:
    """Return a key of the context's tenant.

    Raises:
        NotFound: ``api_key_not_found``.
    """
    entity = work.find(API_KEYS, key_id)
    query = of_tenant(work.context).where(filter=FieldFilter("key_id", "==", key_id)).limit(1)
    with translated():
        found = list(query.stream(transaction=work.transaction.handle, **bounded(work.context.deadline)))
    if not found:
        raise NotFound("api_key_not_found", "The tenant has no such API key")
    return as_held(entity, found[0])


def as_held(entity: Record[KeyDocument] | None, snapshot: Any) -> Held:
    """Return a key from its entity, if it has one, and its record.

    A record that was changed by a revision from before the entity is the newer of the two.
    """
    fields = snapshot.to_dict()
    document = _from_before(fields) if entity is None else entity.value
    if entity is not None and OLD in fields:
        document = document.model_copy(update={name: fields[name] for name in ("expires_at", "revoked_at", OLD)})
    status = document.status_at(datetime.now(UTC))
    return Held(document=document.model_copy(update={"status": status}), entity=entity, snapshot=snapshot)


def save(work: Work, held: Held, document: KeyDocument) -> None:
    """Store what has changed about a key; nothing, where nothing has."""
    if held.entity is None:
        work.create(API_KEYS, document)
    else:
        work.update(API_KEYS, held.entity, document)
    record, stored = record_of(document), held.snapshot.to_dict()
    if record != stored:
        reference = held.snapshot.reference
        work.write(reference.path, lambda batch: batch.set(reference, record))


def record_of(document: KeyDocument) -> dict[str, Any]:
    """Return the record of a key by its hash.

    The last four fields are for revisions from before the entity, which refuse a key without them; names and people
    are in the entity only.
    """
    return {
        "key_id": document.key_id,
        "tenant_id": document.tenant_id,
        "scopes": list(document.scopes),
        "role": document.role,
        "expires_at": document.expires_at,
        "revoked_at": document.revoked_at,
        "prefix": document.prefix,
        "created_at": document.created_at,
        "name": "",
        "created_by": "",
    }


def of_tenant(context: Context) -> firestore.Query:
    """Return the query of the records of the context's tenant."""
    records = context.clients.get(firestore_client).collection(RECORDS.path)
    return records.where(filter=FieldFilter("tenant_id", "==", context.tenant_id))


def _from_before(fields: Mapping[str, Any]) -> KeyDocument:
    created: datetime = fields["created_at"]
    return KeyDocument(
        **{name: fields[name] for name in ("key_id", "tenant_id", "name", "role", "prefix", "created_by")},
        scopes=list(fields["scopes"]),
        created_at=created,
        updated_at=fields.get("revoked_at") or created,
        expires_at=fields.get("expires_at"),
        revoked_at=fields.get("revoked_at"),
        replaced_by=fields.get(OLD),
    )
