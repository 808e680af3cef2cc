"""What an erasure leaves behind, so that nothing brings the person back: markers of documents, and people by digest.

A change may reach its consumers long after it was made: a relay retries for a day, a dead letter is replayed after
weeks. Every document that an erasure changed or deleted therefore has a marker with the sequence up to which its
changes must not be stored any more. Markers name documents by digest, and people by keyed digest, so they hold nothing
that an erasure would have to remove.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud.firestore_v1.base_query import FieldFilter

from common import technical
from common.clients.firestore import firestore_client
from common.context import Context
from common.events import Operation, sequence_of
from common.firestore_calls import bounded, translated
from common.identifiers import digest
from common.transaction import Write

LIFETIME = timedelta(days=400)
"""Longer than dead letters (90 days), logs of changes (90 days) and backups are kept."""


def is_superseded(context: Context, document: str, sequence: int) -> bool:
    """Tell whether a change must not be stored any more, because its document was erased since.

    Consumers that keep values of personal fields ask, before they keep any.

    Args:
        context: Circumstances.
        document: Path of the document.
        sequence: Sequence of the change.

    Raises:
        Unavailable: Firestore does not answer.
    """
    found = technical.read(context, marker_path(document))
    return found is not None and sequence <= int(found[0]["sequence"])


def marker_path(document: str) -> str:
    """Return the path of the marker of a document path."""
    return f"{technical.ERASURES.path}/{digest(document)}"


def marker(
    context: Context, document: str, *, case: str, entity: str, operation: Operation, version: datetime
) -> tuple[str, Write]:
    """Return path and write of a marker, for the transaction that erases.

    Args:
        context: Tenant and clients.
        document: Path of the document.
        case: Id of the erasure.
        entity: Name of the entity.
        operation: ``deleted`` or ``updated``.
        version: Update time of the version that is erased; changes up to it must not be stored again.
    """
    reference = context.clients.get(firestore_client).document(marker_path(document))
    now = datetime.now(UTC)
    # The deletion itself has to arrive: it is what takes the record out of the warehouse's tables.
    fields: dict[str, Any] = {
        "tenant_id": context.tenant_id,
        "case": case,
        "entity": entity,
        "operation": operation,
        "sequence": sequence_of(version, "updated"),
        "erased_at": now,
        "expires_at": now + LIFETIME,
    }
    return reference.path, lambda batch: batch.set(reference, fields)


def receipts(context: Context, case: str, entities: Iterable[str]) -> dict[str, int]:
    """Count the documents that an erasure has dealt with, however often it was interrupted, by entity."""
    query = context.clients.get(firestore_client).collection(technical.ERASURES.path)
    for field, value in (("tenant_id", context.tenant_id), ("case", case)):
        query = query.where(filter=FieldFilter(field, "==", value))
    missing, found = _count(context, query), {}
    for name in entities:
        # Most people are in a few kinds of record: once all receipts are counted, nothing more is asked.
        if missing and (number := _count(context, query.where(filter=FieldFilter("entity", "==", name)))):
            found[name] = number
            missing -= number
    return found


def _count(context: Context, query: Any) -> int:
    with translated():
        return int(query.count().get(**bounded(context.deadline))[0][0].value)


def remember(context: Context, digests: Iterable[str], case: str) -> None:
    """Remember erased people by the keyed digests of their identifiers; repeating it is harmless."""
    client = context.clients.get(firestore_client)
    batch = client.batch()
    for each in digests:
        fields = {"tenant_id": context.tenant_id, "digest": each, "case": case, "erased_at": datetime.now(UTC)}
        batch.set(client.document(_person_path(context, each)), fields)
    with translated():
        batch.commit(**bounded(context.deadline))


def was_erased(context: Context, person_digest: str) -> bool:
    """Tell whether the person of a keyed digest (``common.protection.subjects``) was erased."""
    return technical.read(context, _person_path(context, person_digest)) is not None


def _person_path(context: Context, person_digest: str) -> str:
    return f"{technical.ERASED_PEOPLE.path}/{digest(context.tenant_id, person_digest)}"
