"""Taking changes into the audit trail: one entry per event, written once however often and in whatever order it comes.

The entry's id is the event's. It is created together with a pointer in ``system/audit/unsealed``, which the next seal
turns into a place in the tenant's chain (``common.platform.audit.seal``): appending touches no document that another
append touches.
"""

from __future__ import annotations

import dataclasses
import uuid
from datetime import UTC, datetime
from typing import Any

from common.context import PLATFORM_TENANT, Context
from common.errors import PoisonEvent
from common.events import Envelope
from common.platform.audit import entries, redaction
from common.platform.audit.canonical import canonical, commitment, salt, sha256
from common.platform.audit.models import AuditEntry, Committed, FieldChange, Operation, Side
from common.platform.audit.people import ACTOR, DOCUMENT, Digest, digests_for, identified, kind_of_key
from common.platform.audit.values import changes_of
from common.registry import EntityRecord
from common.registry import entities as declared
from common.security.entities import SECURITY_EVENTS

REVERT = "platform-audit-revert"
"""Function that sets changes back; the entry it set back is the cause of what it wrote."""
NAMED = 200
"""Names of fields that an entry can be found by."""
LONGEST_NAME = 256


def handle(context: Context, envelope: Envelope) -> None:
    """Take an event into the trail of its tenant; a second delivery changes nothing.

    Raises:
        PoisonEvent: ``entity_unknown``: no entity of this name is declared.
        Unavailable: Firestore does not answer; the event will be delivered again.
    """
    entity = declared().get(envelope.payload.entity)
    if entity is None:
        raise PoisonEvent("entity_unknown", f"there is no entity {envelope.payload.entity!r}")
    if not is_recorded(entity, envelope):
        return
    context = dataclasses.replace(context, tenant_id=trail_of(entity, envelope))
    entry = entry_of(entity, envelope, context.tenant_id, datetime.now(UTC), digests_for(context))
    entries.append(
        context, redaction.without_erased(context, entity, entry, erased=envelope.metadata.erasure is not None)
    )


def is_recorded(entity: EntityRecord, envelope: Envelope) -> bool:
    """Tell whether the trail takes a change: what the entity declares, but for documents that only expired."""
    operation = envelope.payload.operation
    match entity.audited:
        case "never":
            return False
        case "creations":
            return operation == "created"
        case "changes" if operation == "created":
            return False
    change = envelope.payload
    if operation == "updated" and set(change.changed_fields) <= set(entity.unaudited) and not change.secret_changed:
        # A write that changed nothing at all is kept: somebody meant something by it.
        return not change.changed_fields
    if operation != "deleted" or entity.ttl is None or envelope.metadata.actor is not None:
        return True
    expiry = envelope.payload.data.get(entity.ttl)
    return not isinstance(expiry, str) or datetime.fromisoformat(expiry) > envelope.timestamp


def trail_of(entity: EntityRecord, envelope: Envelope) -> str:
    """Return whose trail a change belongs to: the tenant's, and the platform's once the tenant is gone."""
    gone = entity.key == "tenant_id" and entity.location == "shared" and envelope.payload.operation == "deleted"
    return PLATFORM_TENANT if gone else envelope.tenant_id


def entry_of(entity: EntityRecord, envelope: Envelope, tenant_id: str, now: datetime, digest: Digest) -> AuditEntry:
    """Return the entry of an event.

    Args:
        entity: Kind of the document.
        envelope: The event.
        tenant_id: Whose trail.
        now: When it is taken.
        digest: Makes the digests of people.
    """
    change, metadata = envelope.payload, envelope.metadata
    kept = changes_of(entity, change)
    kind, actor_id = entries.actor_of(metadata.actor)
    people = identified(entity, (change.data, {**change.data, **change.before}), digest)
    entry = AuditEntry(
        entry_id=envelope.event_id,
        tenant_id=tenant_id,
        entity=entity.name,
        document_id=change.document_id,
        operation=change.operation,
        event_type=envelope.event_type,
        at=envelope.timestamp,
        sequence=change.sequence,
        schema_version=envelope.schema_version,
        actor_kind=kind,
        actor_id=actor_id,
        function=metadata.function,
        request_id=metadata.request_id,
        correlation_id=metadata.correlation_id,
        causation_id=metadata.causation_id,
        reverts=_reverted(metadata.function, metadata.causation_id),
        fields=[each.field[:LONGEST_NAME] for each in kept.changes[:NAMED]],
        changes=entries.text_of(_erased(entity, kept.changes) if metadata.erasure else kept.changes),
        left_out=len(kept.left_out),
        left_out_sha256=sha256(canonical(kept.left_out)) if kept.left_out else None,
        identified=people,
        recorded_at=now,
    )
    return _with_people(entity, _of_security(entry, change.data), digest)


def _reverted(function: str | None, causation_id: str | None) -> uuid.UUID | None:
    return uuid.UUID(causation_id) if function == REVERT and causation_id else None


def _of_security(entry: AuditEntry, data: dict[str, Any]) -> AuditEntry:
    """Return the entry of a security event under its own code, outcome and actor."""
    if entry.entity != SECURITY_EVENTS.name:
        return entry
    operations: dict[str, Operation] = {"refused": "refused", "done": "done", "found": "found"}
    kind, actor_id = entries.actor_of(f"{data.get('actor_kind')}:{data.get('actor_id')}")
    changes = {
        "operation": operations.get(str(data.get("outcome")), "done"),
        "code": str(data.get("code")),
        "function": data.get("function"),
        "actor_kind": kind,
        "actor_id": actor_id,
    }
    return entry.model_copy(update=changes)


def _erased(entity: EntityRecord, changes: list[FieldChange]) -> list[FieldChange]:
    """Return the changes of an erasure, whose event carries no old personal values, with these marked as erased."""
    personal = {each.field for each in entity.personal}
    gone = Side(state="redacted")
    return [
        each.model_copy(update={"old": gone}) if each.field in personal and each.old is None else each
        for each in changes
    ]


def _with_people(entity: EntityRecord, entry: AuditEntry, digest: Digest) -> AuditEntry:
    """Return the entry with commitments to the people it names itself, and the digests of everybody in it."""
    people, committed = dict(entry.identified), {}
    if entry.actor_kind == "user" and entry.actor_id:
        people[ACTOR] = [digest("user_id", entry.actor_id)]
        committed["actor_id"] = _commit(entry.actor_id)
    kind = kind_of_key(entity)
    if kind is not None:
        people[DOCUMENT] = [digest(kind, entry.document_id)]
        committed["document_id"] = _commit(entry.document_id)
    subjects = sorted({each for digests in people.values() for each in digests if each})
    return entry.model_copy(update={"identified": people, "subjects": subjects, "committed": committed})


def _commit(value: str) -> Committed:
    salted = salt()
    return Committed(salt=salted, commitment=commitment(salted, value))
