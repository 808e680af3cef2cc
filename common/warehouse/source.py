"""Firestore as the source of the warehouse: documents of one tenant, paged by name, as the relay would publish them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from common.clients.firestore import firestore_client
from common.context import Context
from common.deliveries import DocumentDelivery, DocumentVersion
from common.errors import NotFound, PoisonEvent
from common.events import EventMetadata
from common.firestore_calls import bounded, translated
from common.raw_documents import plain
from common.registry import EntityRecord, entities
from common.relay import envelope_of
from common.warehouse.rows import LogRow, row_of

PAGE = 500
"""Documents read at once."""
READ_PRICE_USD = 0.06 / 100_000
"""Price of one document read: the highest list price of a location in the United States (nam5), see
https://cloud.google.com/firestore/pricing as of November 2026. Regional databases cost half of it."""
READ_TIME_VALID = timedelta(minutes=50)
"""Firestore answers reads of the past for an hour."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """Rows made of documents.

    Attributes:
        rows: One per document that fits its table.
        refused: Path and reason of each document that does not.
    """

    rows: list[LogRow]
    refused: list[tuple[str, str]]


def warehouse_entities() -> list[EntityRecord]:
    """Return the entities that have a data set per tenant, by name."""
    found = [each for each in entities().values() if each.table and "{tenant_id}" in each.table.dataset]
    return sorted(found, key=lambda each: each.name)


def require_tenant(context: Context, tenant_id: str) -> None:
    """Make sure that a tenant exists.

    Raises:
        NotFound: ``tenant_not_found``.
    """
    with translated():
        snapshot = (
            context.clients.get(firestore_client).document(f"tenants/{tenant_id}").get(**bounded(context.deadline))
        )
    if not snapshot.exists:
        raise NotFound("tenant_not_found", f"there is no tenant {tenant_id!r}")


def tenant_ids(context: Context) -> Iterator[str]:
    """Yield the ids of all tenants, paged by name."""
    client = context.clients.get(firestore_client)
    query = client.collection("tenants").select([]).order_by("__name__").limit(PAGE)
    for snapshot in _paged(context, query, after=None, read_time=None):
        yield snapshot.id


def documents_query(context: Context, entity: EntityRecord) -> firestore.Query:
    """Return the query of all documents of an entity of the context's tenant."""
    client = context.clients.get(firestore_client)
    if entity.location == "tenant":
        return client.collection(f"tenants/{context.tenant_id}/{entity.collection}")
    return client.collection(entity.collection).where(filter=FieldFilter("tenant_id", "==", context.tenant_id))


def count(context: Context, entity: EntityRecord) -> int:
    """Count the documents; costs one read per thousand."""
    with translated():
        answer = documents_query(context, entity).count().get(**bounded(context.deadline, 60))
    return int(answer[0][0].value)


def pages(
    context: Context,
    entity: EntityRecord,
    *,
    read_time: datetime,
    after: str | None = None,
    fields: list[str] | None = None,
) -> Iterator[list[Any]]:
    """Yield the snapshots of all documents as they stood at ``read_time``, page by page in the order of their names.

    Args:
        context: Circumstances.
        entity: Which documents.
        read_time: At most an hour ago.
        after: Path of the last document that was seen already.
        fields: Read these fields only; None reads all. A document costs one read either way.
    """
    query = documents_query(context, entity).order_by("__name__").limit(PAGE)
    if fields is not None:
        query = query.select(fields)
    page: list[Any] = []
    for snapshot in _paged(context, query, after=after, read_time=read_time):
        page.append(snapshot)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def _paged(context: Context, query: Any, *, after: str | None, read_time: datetime | None) -> Iterator[Any]:
    client = context.clients.get(firestore_client)
    start = None if after is None else client.document(after)
    while True:
        asked = query if start is None else query.start_after({"__name__": start})
        with translated():
            found = list(asked.stream(read_time=read_time, **bounded(context.deadline, 60)))
        yield from found
        if len(found) < PAGE:
            return
        start = found[-1].reference


def read_time_now(context: Context) -> datetime:
    """Return the time by Firestore's own clock, to pin reads to; costs one read."""
    client = context.clients.get(firestore_client)
    with translated():
        snapshot = client.document(f"tenants/{context.tenant_id}").get(**bounded(context.deadline))
    moment: datetime = snapshot.read_time
    return moment


def prepare(entity: EntityRecord, snapshots: list[Any]) -> Prepared:
    """Return the rows of documents: equal to what the relay's events of their last change became."""
    rows: list[LogRow] = []
    refused: list[tuple[str, str]] = []
    for snapshot in snapshots:
        try:
            rows.append(_row(entity, snapshot))
        except PoisonEvent as error:
            refused.append((snapshot.reference.path, f"{error.code}: {error.detail}"))
    return Prepared(rows=rows, refused=refused)


def _row(entity: EntityRecord, snapshot: Any) -> LogRow:
    if entity.table is None:
        raise ValueError(f"{entity.name} has no table")
    version = DocumentVersion(
        fields={name: plain(value) for name, value in (snapshot.to_dict() or {}).items()},
        create_time=snapshot.create_time,
        update_time=snapshot.update_time,
    )
    change = DocumentDelivery(
        path=snapshot.reference.path,
        parameters={},
        before=None,
        after=version,
        event_id="",
        time=snapshot.update_time,
    )
    envelope = envelope_of(entity, change, EventMetadata(correlation_id="backfill"), f"{entity.name}-backfilled")
    return row_of(entity.table, envelope)
