"""Requests whose deadline has passed unanswered: found by an index, told once each."""

from __future__ import annotations

from datetime import UTC, datetime

from google.cloud.firestore_v1.base_query import FieldFilter

from common.clients.firestore import firestore_client
from common.context import Context
from common.logs import logger
from common.platform.privacy.requests.entities import PRIVACY_REQUESTS
from common.store import Work, transact
from common.technical import selected

AT_ONCE = 500
"""Requests of one run, the longest overdue first; the next run goes on."""


def tell_overdue(context: Context, now: datetime | None = None) -> int:
    """Mark every open request whose deadline has passed as overdue, which its event tells once; return how many.

    Raises:
        Unavailable: Firestore does not answer; the next run goes on.
    """
    now = now or datetime.now(UTC)
    requests = context.clients.get(firestore_client).collection(PRIVACY_REQUESTS.collection)
    query = requests.where(filter=FieldFilter("alarm_at", "<=", now)).order_by("alarm_at").limit(AT_ONCE)
    told = 0
    for snapshot in selected(context, query.select(["tenant_id"])):
        tenant = context.for_tenant(snapshot.get("tenant_id"))
        if transact(tenant, lambda work, name=snapshot.id: _tell(work, name, now)):  # type: ignore[misc]
            logger(tenant).warning("privacy_request_overdue", request_id=snapshot.id)
            told += 1
    return told


def _tell(work: Work, request_id: str, now: datetime) -> bool:
    record = work.find(PRIVACY_REQUESTS, request_id)
    if record is None or record.value.alarm_at is None or record.value.alarm_at > now:
        return False
    late = record.value.model_copy(update={"alarm_at": None, "deadline": "overdue", "updated_at": now})
    work.update(PRIVACY_REQUESTS, record, late)
    return True
