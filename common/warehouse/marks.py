"""Marks: which work the warehouse's new rows have made due, such as a merge of a table or a scan of a tenant.

A mark is a document ``system/warehouse/marks/{purpose}:{tenant}:{subject}``. Two rules keep rows from being missed:

* whoever appends, appends first and looks at the mark second, and writes it only where it is not pending;
* whoever works, clears the mark first (``claim``) and reads the rows second.

So a row whose writer found the mark pending was there before the mark was cleared, hence before the rows were read. A
claim leaves ``working_since`` behind until ``finish``: work that crashed is due again after the lease. BigQuery shows
streamed rows within seconds, not at once; work therefore begins ``settling(context)`` seconds after its claim.

Some work becomes due by the passing of time alone: ``finish`` may leave a ``wake_at``, from which on the mark is due
although nothing was appended. Any claim uses it up; whoever then works states the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from common.clients.firestore import firestore_client
from common.context import Context
from common.firestore_calls import bounded, translated
from common.held_work import of_working
from common.technical import MARKS, changed

MERGE = "merge"
"""Purpose of the marks on tables whose log has rows that the current table has not."""
EVERYTHING = "all"
"""Subject of work that is about a tenant as a whole."""
LEASE = timedelta(minutes=30)
"""Longer than any task may run: work that has not ended by then has crashed."""
SETTLE_SECONDS = 15.0
"""Seconds after which BigQuery shows what was streamed to it."""
AT_ONCE = 1000
"""Marks that one listing returns."""

Fields = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Work that is due.

    Attributes:
        purpose: Such as ``merge`` or ``aso-opportunity-scan``.
        tenant_id: For whom.
        subject: Of what: an entity's name, or ``EVERYTHING``.
        pending_since: Since when there is something that no finished work has seen: when its first row came, or the
            ``wake_at`` that came.
    """

    purpose: str
    tenant_id: str
    subject: str
    pending_since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Work that was taken.

    Attributes:
        mark: What was due.
        working_since: When it was taken; names the claim.
        state: What the work before this one left behind.
    """

    mark: Mark
    working_since: datetime
    state: Mapping[str, Any]


def path_of(purpose: str, tenant_id: str, subject: str) -> str:
    """Return the path of a mark."""
    return f"{MARKS.path}/{purpose}:{tenant_id}:{subject}"


def is_pending(fields: Fields | None) -> bool:
    """Tell whether a mark needs no writing."""
    return fields is not None and bool(fields.get("pending"))


def marked(purpose: str, tenant_id: str, subject: str, now: datetime) -> dict[str, Any]:
    """Return the fields that make a mark pending; merged into what the document holds besides."""
    name = {"purpose": purpose, "tenant_id": tenant_id, "subject": subject}
    return {**name, "pending": True, "open": True, "pending_since": now}


def claimed(fields: Fields | None, now: datetime, lease: timedelta = LEASE) -> dict[str, Any] | None:
    """Return the fields of a mark once its work is taken, or None where there is nothing to take."""
    if fields is None or not (fields.get("open") or _woken(fields, now)):
        return None
    working_since = fields.get("working_since")
    if working_since is not None and now - working_since < lease:
        return None
    taken = {"pending": False, "open": True, "working_since": now, "wake_at": None}
    return {**fields, **taken, "behind_since": behind_since(fields)}


def finished(
    fields: Fields | None, working_since: datetime, state: Mapping[str, Any], wake_at: datetime | None = None
) -> dict[str, Any] | None:
    """Return the fields of a mark once its work is done, or None where the claim has passed to somebody else."""
    if fields is None or fields.get("working_since") != working_since:
        return None
    return {
        **fields,
        "open": bool(fields.get("pending")),
        "working_since": None,
        "behind_since": None,
        "wake_at": wake_at,
        "state": {**(fields.get("state") or {}), **state},
    }


def behind_since(fields: Fields) -> datetime:
    """Return since when something is due that no finished work has seen.

    A claim that was not finished keeps the time of what it took, so that work which fails again and again, and is
    marked again meanwhile, grows old.
    """
    taken: datetime | None = fields.get("behind_since")
    if taken is not None:
        return taken
    since: datetime = fields["pending_since"] if fields.get("open") else fields["wake_at"]
    return since


def _woken(fields: Fields, now: datetime) -> bool:
    wake_at: datetime | None = fields.get("wake_at")
    return wake_at is not None and wake_at <= now


def settling(context: Context) -> float:
    """Return the seconds between a claim and the reading of the rows."""
    return 0.0 if context.clients.settings.is_local else SETTLE_SECONDS


def set_marks(context: Context, tenant_id: str, wanted: Iterable[tuple[str, str]]) -> None:
    """Make work due, after the rows it is about are in the log.

    Args:
        context: Circumstances.
        tenant_id: For whom.
        wanted: Purpose and subject of each mark.

    Raises:
        Unavailable: Firestore does not answer; whoever appended must append and mark again.
    """
    client = context.clients.get(firestore_client)
    names = {path_of(purpose, tenant_id, subject): (purpose, subject) for purpose, subject in wanted}
    if not names:
        return
    references = [client.document(path) for path in names]
    with translated():
        for snapshot in client.get_all(references, **bounded(context.deadline)):
            if is_pending(snapshot.to_dict() if snapshot.exists else None):
                continue
            purpose, subject = names[snapshot.reference.path]
            fields = marked(purpose, tenant_id, subject, datetime.now(UTC))
            snapshot.reference.set(fields, merge=True, **bounded(context.deadline))


def due(context: Context, purpose: str, lease: timedelta = LEASE, now: datetime | None = None) -> list[Mark]:
    """Return the work of a purpose that is due and that nobody is doing, the longest waiting first.

    The work of tenants that rest stays due and is not among it; that is for all scans and merges, which ask here.

    Args:
        context: Circumstances.
        purpose: Such as ``merge``.
        lease: Age of a claim from which on its work has crashed.
        now: The time to go by; None for the present.

    Raises:
        Unavailable: Firestore does not answer.
    """
    now = now or datetime.now(UTC)
    of_purpose = _of_purpose(context, purpose)
    queries = (
        of_purpose.where(filter=FieldFilter("open", "==", value=True)),
        of_purpose.where(filter=FieldFilter("wake_at", "<=", now)).order_by("wake_at"),
    )
    found = {each.id: each.to_dict() for query in queries for each in of_working(context, query, AT_ONCE)}
    marks = [_mark(fields) for fields in found.values() if claimed(fields, now, lease) is not None]
    return sorted(marks, key=lambda mark: mark.pending_since)


def lagging(context: Context, purpose: str, age: timedelta, now: datetime | None = None) -> list[Mark]:
    """Return the marks with something that no finished work has seen for longer than ``age``, the oldest first.

    Marks that somebody works on are among them: work that fails and begins again and again makes no progress.

    Raises:
        Unavailable: Firestore does not answer.
    """
    oldest = (now or datetime.now(UTC)) - age
    query = _of_purpose(context, purpose).where(filter=FieldFilter("open", "==", value=True))
    marks = [_mark(each.to_dict()) for each in of_working(context, query, AT_ONCE)]
    return sorted((mark for mark in marks if mark.pending_since < oldest), key=lambda mark: mark.pending_since)


def _of_purpose(context: Context, purpose: str) -> firestore.Query:
    query: firestore.Query = context.clients.get(firestore_client).collection(MARKS.path)
    return query.where(filter=FieldFilter("purpose", "==", purpose))


def _mark(fields: Fields) -> Mark:
    return Mark(
        purpose=fields["purpose"],
        tenant_id=fields["tenant_id"],
        subject=fields["subject"],
        pending_since=behind_since(fields),
    )


def claim(
    context: Context,
    purpose: str,
    tenant_id: str,
    subject: str = EVERYTHING,
    lease: timedelta = LEASE,
    now: datetime | None = None,
) -> Claim | None:
    """Clear a mark and take its work, or return None where nothing is due or somebody is working.

    Args:
        context: Circumstances.
        purpose: Of the mark.
        tenant_id: Of the mark.
        subject: Of the mark.
        lease: Age of a claim from which on its work has crashed.
        now: The time to go by; None for the present.

    Raises:
        Unavailable: Firestore does not answer.
    """

    def change(fields: dict[str, Any] | None) -> tuple[dict[str, Any] | None, Claim | None]:
        moment = now or datetime.now(UTC)
        taken = claimed(fields, moment, lease)
        if taken is None:
            return None, None
        return taken, Claim(mark=_mark(taken), working_since=moment, state=taken.get("state") or {})

    return changed(context, path_of(purpose, tenant_id, subject), change)


def finish(
    context: Context,
    purpose: str,
    tenant_id: str,
    subject: str,
    working_since: datetime,
    state: Mapping[str, Any] | None = None,
    *,
    wake_at: datetime | None = None,
) -> bool:
    """End the work of a claim; tell whether the claim was still held.

    Args:
        context: Circumstances.
        purpose: Of the mark.
        tenant_id: Of the mark.
        subject: Of the mark.
        working_since: Names the claim.
        state: What the next work should know, such as how far this one got.
        wake_at: When the work becomes due even if nothing is appended until then; None never.

    Raises:
        Unavailable: Firestore does not answer.
    """

    def change(fields: dict[str, Any] | None) -> tuple[dict[str, Any] | None, bool]:
        ended = finished(fields, working_since, state or {}, wake_at)
        return ended, ended is not None

    return changed(context, path_of(purpose, tenant_id, subject), change)


def state_of(context: Context, purpose: str, tenant_id: str, subject: str) -> Mapping[str, Any]:
    """Return what the last finished work left behind; empty where there was none."""
    client: firestore.Client = context.clients.get(firestore_client)
    with translated():
        snapshot = client.document(path_of(purpose, tenant_id, subject)).get(**bounded(context.deadline))
    fields = snapshot.to_dict() or {}
    return fields.get("state") or {}
