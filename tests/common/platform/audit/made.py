"""Events and entries for the tests of the audit trail."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from common.events import Change, Envelope, EventMetadata, Operation, event_id_of
from common.platform.audit import record
from common.platform.audit.models import AuditEntry
from common.registry import EntityRecord, PersonalRecord

WRITTEN = datetime(2026, 9, 1, 8, 0, 0, 123456, tzinfo=UTC)


def personal(field: str, kind: Any = "email", of: str | None = None) -> PersonalRecord:
    return PersonalRecord(field=field, kind=kind, erasure="clear", of=of)


NOTE = EntityRecord(
    name="note",
    domain="tests",
    collection="notes",
    location="shared",
    key="note_id",
    events={},
    table=None,
    caches={},
    wakes=(),
    personal=(personal("email"), personal("owner", "user_id"), personal("name", "name", "email")),
    secret=("token",),
    private=("text",),
    unaudited=("progress",),
    schema_version=1,
)


def envelope(
    operation: Operation = "updated",
    data: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
    *,
    entity: str = "note",
    document_id: str = "n1",
    seconds: float = 0,
    actor: str | None = "user:u1",
    tenant_id: str = "demo",
    secret_changed: list[str] | None = None,
    **metadata: Any,
) -> Envelope:
    """Return an event; what differs between ``before`` and ``data`` has changed."""
    moment = WRITTEN + timedelta(seconds=seconds)
    sequence = round(moment.timestamp() * 1_000_000)
    data, before = dict(data or {}), dict(before or {})
    names = sorted({*data, *before})
    changed = [name for name in names if data.get(name, ...) != before.get(name, ...)]
    return Envelope(
        event_type=f"{entity}-{operation}",
        event_id=event_id_of(f"{entity}/{document_id}", sequence),
        timestamp=moment,
        tenant_id=tenant_id,
        source_service="tests",
        schema_version=1,
        payload=Change(
            entity=entity,
            document=f"{entity}/{document_id}",
            document_id=document_id,
            operation=operation,
            sequence=sequence,
            data=data,
            before={name: before[name] for name in changed if name in before} if operation == "updated" else {},
            changed_fields=changed if operation != "deleted" else [],
            secret_changed=secret_changed or [],
        ),
        metadata=EventMetadata(correlation_id="c1", request_id="r1", actor=actor, **metadata),
    )


def plain(kind: str, value: str) -> str:
    """Return a digest that tests can read."""
    return f"{kind}={value}"[:64]


def entry(told: Envelope, entity: EntityRecord = NOTE) -> AuditEntry:
    """Return the entry of an event."""
    return record.entry_of(entity, told, told.tenant_id, WRITTEN + timedelta(minutes=1), plain)


def bare(number: int, tenant_id: str, **changes: Any) -> AuditEntry:
    """Return an entry that differs from others by its number."""
    told = envelope("updated", {"n": number}, {"n": number - 1}, seconds=number, tenant_id=tenant_id)
    made = entry(told).model_copy(update={"entry_id": uuid.uuid5(told.event_id, tenant_id)})
    return made.model_copy(update=changes)
