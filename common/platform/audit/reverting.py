"""Setting a recorded change back: a new write that gives the changed fields the values they had.

It goes through the entity's repository like any other write, so the model's rules, uniqueness, quotas, the event and
the audit trail hold; what it writes names the entry it sets back as its cause. History is never rewritten.

What is set back is declared by each entity: the fields that people enter (``revertible``), and whether a creation or a
deletion can be undone (``restorable``), which is right only where nothing else hangs on the document. Everything else
has a course of its own (a status that follows a machine, figures that are computed, credentials), which writing old
values would break. Nor is set back what the trail does not know: secrets, private content, values that were cut or
erased. And a field that was changed again since stays as it is: the later change would be lost unseen.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from common import quotas
from common.context import Context
from common.documents import encode, stored_name
from common.entity import Entity
from common.entity_classes import LOADERS
from common.errors import Conflict
from common.model import Model
from common.platform.audit.entities import AUDIT_ENTRIES
from common.platform.audit.models import AuditEntry, FieldChange, Side
from common.platform.audit.revert_models import Reverted
from common.registry import EntityRecord
from common.registry import entities as declared
from common.relay import json_value
from common.store import Repository, Work, transact

TOUCHED = "updated_at"
"""Field that says when a document was changed last: a revert is a change, too."""


def revert(context: Context, entry_id: uuid.UUID) -> Reverted:
    """Set a change back.

    Args:
        context: Circumstances of the request.
        entry_id: The entry that tells of the change.

    Raises:
        NotFound: ``audit_entry_not_found``.
        Conflict: ``not_revertible``, with ``reason``; ``changed_since``, with ``fields``; the code of a rule of
            uniqueness that the old values break.
        Forbidden: ``quota_exceeded``: a deleted document has no place any more.
    """
    entry = Repository(AUDIT_ENTRIES, context).get(str(entry_id)).value
    record = declared().get(entry.entity)
    undo = _UNDO.get(entry.operation)
    if record is None or undo is None or entry.entity not in LOADERS:
        raise _refused("operation", "Only creations, changes and deletions of documents can be set back.")
    changes = [change for change in entry.field_changes() if change.field != TOUCHED]
    _require_allowed(record, entry, changes)
    entity = LOADERS[entry.entity]()
    caused = dataclasses.replace(context, causation_id=str(entry_id), if_match=None)
    return transact(caused, lambda work: undo(work, entity, entry, changes))


def _require_allowed(record: EntityRecord, entry: AuditEntry, changes: list[FieldChange]) -> None:
    """Refuse what the entity does not allow, or the trail does not know."""
    name = record.name.replace("_", " ")
    if entry.operation == "updated":
        fixed = [change.field for change in changes if change.field not in record.revertible]
        if fixed:
            reason = record.kept.get(fixed[0]) or record.kept.get("*") or f"The {name} changes by its own rules."
            raise _refused("declared", f"{', '.join(fixed)}: {reason}", fields=fixed)
    elif entry.operation not in record.restorable:
        reason = record.kept.get("*") or "other things may hang on it."
        raise _refused("declared", f"That a {name} was {entry.operation} is not undone: {reason}")
    if entry.left_out:
        raise _refused("left_out", "So much changed at once that the entry does not hold it all.")
    for change in changes:
        for side in (change.old, change.new):
            if side is not None and side.state != "shown":
                raise _refused(side.state, f"The trail does not show {change.field} ({side.state}).", [change.field])


def _refused(reason: str, message: str, fields: list[str] | None = None) -> Conflict:
    details = {"reason": reason, **({"fields": fields} if fields else {})}
    return Conflict("not_revertible", message, details=details)


def _changed(fields: list[str], message: str) -> Conflict:
    return Conflict("changed_since", message, details={"fields": fields})


def _undo_update(work: Work, entity: Entity[Model], entry: AuditEntry, changes: list[FieldChange]) -> Reverted:
    record = work.find(entity, entry.document_id)
    if record is None:
        raise _changed([], "The document was deleted since.")
    stored = encode(record.value)
    _require_unchanged(stored, changes)
    wanted = dict(stored)
    for change in changes:
        wanted.pop(change.field, None)
        if change.old is not None:
            wanted[change.field] = change.old.value
    value = _valid(entity, _touched(entity, wanted))
    _require_quota(work.context, entity, stored, encode(value))
    work.update(entity, record, value)
    return _reverted(entry, changes)


def _undo_deletion(work: Work, entity: Entity[Model], entry: AuditEntry, changes: list[FieldChange]) -> Reverted:
    if work.find(entity, entry.document_id) is not None:
        raise _changed([], "A document with this id was made again since.")
    wanted = {change.field: change.old.value for change in changes if change.old is not None}
    own = {stored_name(entity.model, name) for name in entity.model.model_fields}
    value = _valid(entity, _touched(entity, {name: each for name, each in wanted.items() if name in own}))
    _require_quota(work.context, entity, {}, encode(value))
    work.create(entity, value)
    return _reverted(entry, changes)


def _undo_creation(work: Work, entity: Entity[Model], entry: AuditEntry, changes: list[FieldChange]) -> Reverted:
    record = work.find(entity, entry.document_id)
    if record is None:
        raise _changed([], "The document was deleted since.")
    _require_unchanged(encode(record.value), changes)
    work.delete(entity, record)
    return _reverted(entry, changes)


_Undo = Callable[[Work, Entity[Model], AuditEntry, list[FieldChange]], Reverted]
_UNDO: Mapping[str, _Undo] = {"updated": _undo_update, "deleted": _undo_deletion, "created": _undo_creation}


def _require_unchanged(stored: Mapping[str, Any], changes: list[FieldChange]) -> None:
    """Refuse where a field is not what the change made it."""
    later = [change.field for change in changes if not _is(stored, change.field, change.new)]
    if later:
        raise _changed(later, f"Changed again since: {', '.join(later)}.")


def _is(stored: Mapping[str, Any], name: str, side: Side | None) -> bool:
    if side is None:
        return stored.get(name) is None
    return name in stored and bool(json_value(stored[name]) == side.value)


def _touched(entity: Entity[Model], fields: dict[str, Any]) -> dict[str, Any]:
    if TOUCHED in entity.model.model_fields:
        fields[stored_name(entity.model, TOUCHED)] = datetime.now(UTC)
    return fields


def _valid(entity: Entity[Model], fields: Mapping[str, Any]) -> Model:
    try:
        return entity.model.model_validate(fields, extra="ignore")
    except ValidationError as error:
        wrong = sorted({str(each["loc"][0]) for each in error.errors() if each["loc"]})
        message = f"The old values do not obey today's rules: {', '.join(wrong)}."
        raise _refused("invalid", message, wrong) from None


def _require_quota(
    context: Context, entity: Entity[Model], before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """Refuse where the tenant would have more of a resource than it may."""
    for resource, limit in quotas.LIMITS.items():
        if limit.entity == entity.name and not limit.created_today:
            counted = [all(fields.get(name) == value for name, value in limit.where) for fields in (before, after)]
            if counted[1] and not (before and counted[0]):
                quotas.check(context, resource)


def _reverted(entry: AuditEntry, changes: list[FieldChange]) -> Reverted:
    return Reverted(
        entry_id=entry.entry_id,
        entity=entry.entity,
        document_id=entry.document_id,
        operation=entry.operation,
        fields=[change.field for change in changes],
    )
