"""Reading the trail: searches, the history of a document, one entry. Whoever reads it is told of in it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from common.answers import Page
from common.collection import Filter
from common.context import Context
from common.errors import NotFound
from common.platform.audit.entities import AUDIT_ENTRIES
from common.platform.audit.models import (
    AuditEntry,
    AuditQuery,
    ChangeView,
    EntrySummary,
    EntryView,
    HistoryQuery,
    Side,
    SideView,
)
from common.security_events import record_once
from common.store import Repository

ORDER = ("-at",)
LONGEST_ID = 1500
"""Bytes of a document id at most (Firestore's limit); what is longer was never one."""
EQUAL = ("entity", "document_id", "actor_id", "operation", "code")
READ = "audit_read"
"""Code of the security event that tells who read what of the trail."""


def search(context: Context, query: AuditQuery) -> Page[EntrySummary]:
    """Return entries of the tenant, newest first.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    page = _searched(context, query)
    return Page(items=[summary(entry) for entry in page.items], next_cursor=page.next_cursor)


def whole(context: Context, query: AuditQuery) -> Page[EntryView]:
    """Return entries as ``search`` does, field by field.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    page = _searched(context, query)
    return Page(items=[view(entry) for entry in page.items], next_cursor=page.next_cursor)


def _searched(context: Context, query: AuditQuery) -> Page[AuditEntry]:
    page = Repository(AUDIT_ENTRIES, context).page(filters_of(query), ORDER, limit=query.limit, cursor=query.cursor)
    if query.cursor is None:
        _tell(context, asked_of(query))
    return page


def history(context: Context, entity: str, document_id: str, query: HistoryQuery) -> Page[EntryView]:
    """Return what happened to a document of the tenant, newest first, field by field.

    Raises:
        NotFound: ``audit_history_not_found``: no entry of this tenant tells of such a document.
        BadRequest: ``invalid_cursor``.
    """
    if max(len(entity.encode()), len(document_id.encode())) > LONGEST_ID:
        raise NotFound("audit_history_not_found", "The audit trail tells of no such document.")
    filters: list[Filter] = [("entity", "==", entity), ("document_id", "==", document_id)]
    page = Repository(AUDIT_ENTRIES, context).page(filters, ORDER, limit=query.limit, cursor=query.cursor)
    if not page.items and query.cursor is None:
        raise NotFound("audit_history_not_found", "The audit trail tells of no such document.")
    if query.cursor is None:
        _tell(context, {"entity": entity, "document_id": document_id})
    return Page(items=[view(entry) for entry in page.items], next_cursor=page.next_cursor)


def get(context: Context, entry_id: uuid.UUID) -> EntryView:
    """Return an entry of the tenant.

    Raises:
        NotFound: ``audit_entry_not_found``.
    """
    entry = Repository(AUDIT_ENTRIES, context).get(str(entry_id)).value
    _tell(context, {"entry_id": str(entry_id)})
    return view(entry)


def filters_of(query: AuditQuery) -> list[Filter]:
    """Return the filters of a search."""
    filters: list[Filter] = [(name, "==", value) for name in EQUAL if (value := getattr(query, name)) is not None]
    if query.field is not None:
        filters.append(("fields", "array_contains", query.field))
    if query.from_ is not None:
        filters.append(("at", ">=", query.from_))
    if query.to is not None:
        filters.append(("at", "<", query.to))
    return filters


def asked_of(query: AuditQuery) -> dict[str, str]:
    """Return what a search asks for, as a security event tells it."""
    given = query.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"limit", "cursor"})
    return {name: str(value) for name, value in given.items()}


def _tell(context: Context, asked: Mapping[str, str]) -> None:
    """Record that somebody read the trail, the same thing by the same one at most once in ten minutes."""
    subjects, details = told_of(asked)
    record_once(context, READ, subjects=subjects, details=details)


def told_of(asked: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what a security event tells of a search: the ids it names, which may be people's, and the rest."""
    subjects = {name: value for name, value in asked.items() if name.endswith("_id")}
    return subjects, {name: value for name, value in asked.items() if name not in subjects}


def summary(entry: AuditEntry) -> EntrySummary:
    """Return what a list shows of an entry."""
    shown = {name: getattr(entry, name) for name in EntrySummary.model_fields if name != "redacted"}
    return EntrySummary(**shown, redacted=entry.redacted_at is not None)


def view(entry: AuditEntry) -> EntryView:
    """Return an entry as people see it."""
    own = ("sequence", "schema_version", "causation_id", "left_out", "recorded_at")
    changes = [ChangeView(field=each.field, old=_side(each.old), new=_side(each.new)) for each in entry.field_changes()]
    return EntryView(**dict(summary(entry)), **{name: getattr(entry, name) for name in own}, changes=changes)


def _side(side: Side | None) -> SideView | None:
    if side is None:
        return None
    value = SECRET if side.state == "secret" else side.value
    return SideView(state=side.state, value=value, size=side.size, sha256=side.sha256)


SECRET = "[secret]"  # noqa: S105  # what is shown in its place
