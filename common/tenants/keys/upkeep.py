"""What time does to keys, a page at a time: noting that keys have expired, and giving those from before an entity.

Authentication needs neither: it goes by the records and the clock. ``expired`` is for whoever lists, counts (quotas) or
follows keys (``api-key-expired``).

Only records from before the entity have a field ``replaced_by``, so a query that sorts by it finds those and no others;
an empty answer, which costs one read, says that all of them are adopted. They work meanwhile, and are shown afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from common.clients.firestore import firestore_client
from common.context import Context
from common.firestore_calls import bounded, translated
from common.store import Work, transact
from common.technical import API_KEYS as RECORDS
from common.technical import selected
from common.tenants.keys import records
from common.tenants.keys.entities import API_KEYS

PAGE = 100
LEFT = 30.0
"""Seconds of the deadline with which another page is begun."""


def adopt(context: Context) -> int:
    """Give every key from before the entity its entity, as far as time permits; return how many were looked at."""
    query = context.clients.get(firestore_client).collection(RECORDS.path).order_by(records.OLD).limit(PAGE)
    return _each(context, query, _adopt)


def expire(context: Context) -> int:
    """Note which keys have expired since the last time, as far as time permits; return how many were looked at."""
    keys = context.clients.get(firestore_client).collection(API_KEYS.collection)
    query = (
        keys.where(filter=FieldFilter("status", "==", "active"))
        .where(filter=FieldFilter("expires_at", "<=", datetime.now(UTC)))
        .order_by("expires_at")
        .limit(PAGE)
    )
    return _each(context, query, _expire)


def _each(context: Context, query: firestore.Query, work: Callable[[Context, Any], None]) -> int:
    """Work on the documents of a query, which no longer finds those that were worked on."""
    seen = 0
    while context.deadline.remaining > LEFT:
        page = selected(context, query)
        for snapshot in page:
            work(context.for_tenant(snapshot.get("tenant_id")), snapshot)
        seen += len(page)
        if len(page) < PAGE:
            break
    return seen


def _adopt(context: Context, found: Any) -> None:
    """Adopt one key; one that was deleted or adopted meanwhile is left alone."""

    def work(work: Work) -> None:
        with translated():
            snapshot = found.reference.get(transaction=work.transaction.handle, **bounded(context.deadline))
        if not snapshot.exists or records.OLD not in snapshot.to_dict():
            return
        held = records.as_held(work.find(API_KEYS, snapshot.get("key_id")), snapshot)
        records.save(work, held, held.document)

    transact(context, work)


def _expire(context: Context, found: Any) -> None:
    def work(work: Work) -> None:
        record, now = work.find(API_KEYS, found.id), datetime.now(UTC)
        if record is not None and record.value.status_at(now) != record.value.status:
            changes = {"status": record.value.status_at(now), "updated_at": now}
            work.update(API_KEYS, record, record.value.model_copy(update=changes))

    transact(context, work)
