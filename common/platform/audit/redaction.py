"""Erasing a person from the audit trail without breaking its chain.

A personal value enters the chain as a commitment (``common.platform.audit.canonical``). Erasing drops value and salt
and leaves the commitment, so every hash stays what it was and the value is gone. Who acted, or whose document it was,
becomes the pseudonym that an erasure puts everywhere else; what happened, when, and to which fields stays.

Every redaction is itself an entry of the trail that names the entries it touched. The verification asks for it: a value
that is gone without such an entry was not erased but removed.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from common.context import Context
from common.crypto import digests
from common.erasures import was_erased
from common.errors import SealBroken
from common.identifiers import uuid7
from common.model import Model
from common.platform.audit import entries
from common.platform.audit.entities import AUDIT_ENTRIES
from common.platform.audit.models import AuditEntry, FieldChange, Side
from common.platform.audit.people import ACTOR, DOCUMENT, digests_for, kind_of_key, normalised
from common.platform.privacy.person import PSEUDONYM, Person, pseudonym_of
from common.registry import EntityRecord, PersonalRecord
from common.registry import entities as declared
from common.store import Repository, Work, in_chunks, transact

BATCH = 100
"""Entries of one transaction."""
MOST_VALUES = 30
"""Values that one query of Firestore asks for."""
REDACTED = "redacted_entries"
"""Field of a redaction's entry that names the entries it touched."""


class Redaction(Model):
    """What a redaction did: how many entries it touched."""

    entries: int


@dataclass(frozen=True, slots=True)
class Gone:
    """Whom an erasure is about, as entries know people.

    Attributes:
        digests: Digests of their identifiers.
        owns: Tells whether a value of a kind is one of those identifiers.
        pseudonym: Returns what stands in the place of an identifier.
    """

    digests: frozenset[str]
    owns: Callable[[str, Any], bool]
    pseudonym: Callable[[str, str], str]


def redact(context: Context, person: Person) -> Redaction:
    """Erase a person from the trail of the tenant; repeating it changes nothing.

    Whoever erases remembers the person first (``common.erasures.remember``): entries that are taken afterwards are
    then redacted as they come.

    Args:
        context: Circumstances with the tenant.
        person: Every identifier that was found.

    Raises:
        Unavailable: Firestore or the tenant's key does not answer; what was redacted so far stays so.
    """
    gone = Gone(
        digests=frozenset(person.digests(context)),
        owns=person.owns,
        pseudonym=lambda kind, value: person.pseudonym(context, kind, value),
    )
    touched = 0
    for chunk in in_chunks(sorted(gone.digests), MOST_VALUES):
        while found := about(context, chunk, BATCH):
            number = transact(context, functools.partial(_redact, entry_ids=found, gone=gone), answers=False)
            touched += number
            if not number:
                break
    return Redaction(entries=touched)


def about(context: Context, subjects: Collection[str], limit: int) -> list[str]:
    """Return the ids of entries about people, by the digests of their identifiers (30 at most)."""
    filters = [("subjects", "array_contains_any", sorted(subjects))]
    return [str(each.value.entry_id) for each in Repository(AUDIT_ENTRIES, context).select(filters, limit=limit)]


def count(context: Context, person: Person) -> int:
    """Return how many entries name a person; one that two identifiers find may count twice."""
    trail = Repository(AUDIT_ENTRIES, context)
    chunks = in_chunks(sorted(person.digests(context)), MOST_VALUES)
    return sum(trail.count([("subjects", "array_contains_any", list(chunk))]) for chunk in chunks)


def _redact(work: Work, entry_ids: Iterable[str], gone: Gone) -> int:
    now = datetime.now(UTC)
    touched: list[str] = []
    for record in work.get_many(AUDIT_ENTRIES, entry_ids).values():
        changed = redacted(declared().get(record.value.entity), record.value, gone, now)
        if changed is not None:
            work.update(AUDIT_ENTRIES, record, changed)
            touched.append(str(changed.entry_id))
    if touched:
        entries.add(work, told(work.context, touched, now))
    return len(touched)


def told(context: Context, entry_ids: Collection[str], now: datetime) -> AuditEntry:
    """Return the entry that tells of a redaction."""
    entry_id = uuid7()
    kind, actor_id = entries.actor_of(f"{context.principal.kind}:{context.principal.id}")
    names = Side(state="shown", value=sorted(entry_ids))
    return AuditEntry(
        entry_id=entry_id,
        tenant_id=context.tenant_id,
        entity=AUDIT_ENTRIES.name,
        document_id=str(entry_id),
        operation="redacted",
        event_type="audit-redacted",
        at=now,
        sequence=round(now.timestamp() * 1_000_000),
        actor_kind=kind if kind != "user" else "service",
        actor_id=actor_id if kind != "user" else None,
        function=context.function,
        request_id=context.request_id,
        correlation_id=context.correlation_id or context.request_id,
        causation_id=context.causation_id,
        fields=[REDACTED],
        changes=entries.text_of([FieldChange(field=REDACTED, new=names)]),
        recorded_at=now,
    )


def redacted_by(entry: AuditEntry) -> list[uuid.UUID]:
    """Return the entries that a redaction's entry names."""
    sides = [each.new for each in entry.field_changes() if each.field == REDACTED and each.new is not None]
    return [uuid.UUID(name) for side in sides for name in side.value or ()]


def without_erased(context: Context, entity: EntityRecord, entry: AuditEntry, *, erased: bool) -> AuditEntry:
    """Return an entry without what belongs to people who were erased before it came.

    Args:
        context: Circumstances with the tenant.
        entity: Kind of the document.
        entry: The entry, not yet stored.
        erased: Whether the change is part of an erasure: a person's own document is then theirs in any case.

    Raises:
        Unavailable: Firestore or the tenant's key does not answer.
    """
    found = frozenset(each for each in entry.subjects if was_erased(context, each))
    if erased:
        found |= frozenset(entry.identified.get(DOCUMENT, ()))
    if not found:
        return entry
    digest = digests_for(context)

    def owns(kind: str, value: Any) -> bool:
        values = value if isinstance(value, list) else [value]
        return any(isinstance(each, str) and digest(kind, each) in found for each in values)

    def pseudonym(kind: str, value: str) -> str:
        try:
            return pseudonym_of(kind, digests.keyed(context, PSEUDONYM, normalised(kind, value)))
        except SealBroken:
            return "erased"

    gone = Gone(digests=found, owns=owns, pseudonym=pseudonym)
    without = redacted(entity, entry, gone, entry.recorded_at)
    return entry if without is None else without.model_copy(update={"erased_before": True})


def redacted(entity: EntityRecord | None, entry: AuditEntry, gone: Gone, now: datetime) -> AuditEntry | None:
    """Return an entry without the values of people who are gone, or None where it names none of them.

    Args:
        entity: Kind of the document; None where it is not declared any more: everything personal goes.
        entry: The entry.
        gone: The people.
        now: When.
    """
    if gone.digests.isdisjoint(entry.subjects):
        return None
    found = {name for name, people in entry.identified.items() if not gone.digests.isdisjoint(people)}
    personal = {} if entity is None else {each.field: each for each in entity.personal}
    changes = [_without(each, personal.get(each.field), found, gone) for each in entry.field_changes()]
    kind = "user_id" if entity is None else kind_of_key(entity) or "user_id"
    own = {
        **({"actor_id": gone.pseudonym("user_id", entry.actor_id or "")} if ACTOR in found else {}),
        **({"document_id": gone.pseudonym(kind, entry.document_id)} if DOCUMENT in found else {}),
    }
    committed = {
        name: each.model_copy(update={"salt": None}) if name in own else each for name, each in entry.committed.items()
    }
    people = {name: [each for each in them if each not in gone.digests] for name, them in entry.identified.items()}
    return entry.model_copy(
        update={
            **own,
            "changes": entries.text_of(changes),
            "committed": committed,
            "identified": {name: them for name, them in people.items() if them},
            "subjects": [each for each in entry.subjects if each not in gone.digests],
            "redacted_at": now,
        }
    )


def _without(change: FieldChange, personal: PersonalRecord | None, found: set[str], gone: Gone) -> FieldChange:
    """Return a field's change without the values of people who are gone."""

    def side(value: Side | None) -> Side | None:
        if value is None or value.commitment is None or not theirs(value):
            return value
        return Side(state="redacted", commitment=value.commitment)

    def theirs(value: Side) -> bool:
        if personal is None:
            return True
        if personal.identifies:
            return value.state == "cut" or gone.owns(personal.kind, value.value)
        return bool(found - {ACTOR}) if personal.of is None else personal.of in found

    return change.model_copy(update={"old": side(change.old), "new": side(change.new)})
