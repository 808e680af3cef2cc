"""The tenant's documents: found by the identifying fields that the entities declare, each by one equality query.

Who wrote a document last stands in its technical map, of every entity; such documents are found by it and lose it, and
the person learns of them as traces (which document, when), because what they wrote belongs to the tenant.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

from google.cloud.firestore_v1.base_query import FieldFilter

from common import erasures, raw_documents
from common.documents import META
from common.firestore_calls import bounded, translated
from common.last_admin import require_another_admin
from common.people import COLLECTION as PEOPLE
from common.platform.privacy.person import MASK
from common.platform.privacy.rules import Touch, changes_of, exported, identifying, learned, touch_of
from common.platform.privacy.stores.port import Action, Exported, Found, Walk
from common.protection.holds import require_none
from common.registry import EntityRecord, PersonalRecord, entities
from common.relay import META_ERASURE, json_value
from common.store import Work, in_chunks, transact

PAGE = 300
"""Documents read at once."""
CHUNK = 50
"""Documents of one transaction: each costs up to six of the 500 writes."""
ACTOR = f"{META}.actor"
TRACE = "traces"
WORKERS = frozenset({"job", "import"})
"""Entities whose id names folders of files."""
MOST_VALUES = 30
"""Values one query compares a field with."""
PASSES = 5


class Documents:
    """Documents of declared entities."""

    name = "documents"
    hands_over = True

    def find(self, walk: Walk) -> Iterator[Found]:
        """Yield the documents about the person, then those that only say who wrote them."""
        for entity, snapshot, touch in self._about(walk):
            yield _found(entity, snapshot, touch)
        for entity, snapshot in self._written(walk):
            if touch_of(entity, snapshot.to_dict(), walk.person) is None:
                path = snapshot.reference.path
                yield Found(kind=entity.name, name=path, action="redact", fields=((ACTOR, "redact"),))

    def export(self, walk: Walk) -> Iterator[Exported]:
        """Yield the documents, other people's data masked, and the traces."""
        for entity, snapshot, touch in self._about(walk):
            fields = exported(entity, touch, snapshot.to_dict(), walk.person)
            yield Exported(kind=entity.name, data={name: _json(value) for name, value in fields.items()})
        for entity, snapshot in self._written(walk):
            if touch_of(entity, snapshot.to_dict(), walk.person) is None:
                trace = {"entity": entity.name, "document_id": _id_of(entity, snapshot)}
                trace["changed_at"] = _json(snapshot.update_time)
                yield Exported(kind=TRACE, data=trace)

    def erase(self, walk: Walk) -> dict[str, int]:
        """Erase every document's part of the person; what a crash left is found again by the same queries."""
        for _ in range(PASSES):
            if not sum(self._pass(walk)):
                break
        return erasures.receipts(walk.context, walk.case, [each.name for each in _covered()])

    def _pass(self, walk: Walk) -> Iterator[int]:
        """Yield how many documents of each page were changed."""
        for entity in _covered():
            for each in identifying(entity.personal):
                for page in _pages(walk, entity, each.field, list(walk.person.values[each.kind]), each):
                    yield _erased(walk, entity, page)
            for page in _pages(walk, entity, ACTOR, walk.person.actors()):
                yield _erased(walk, entity, page)

    def _about(self, walk: Walk) -> Iterator[tuple[EntityRecord, Any, Touch]]:
        for entity in _covered():
            seen: set[str] = set()
            for each in identifying(entity.personal):
                for page in _pages(walk, entity, each.field, list(walk.person.values[each.kind]), each):
                    for snapshot in page:
                        touch = touch_of(entity, snapshot.to_dict(), walk.person)
                        if touch is None or snapshot.id in seen or snapshot.reference.path in walk.own:
                            continue
                        seen.add(snapshot.id)
                        walk.touched.add(entity.name)
                        if entity.name in WORKERS:
                            walk.jobs.add(snapshot.id)
                        yield entity, snapshot, touch

    def _written(self, walk: Walk) -> Iterator[tuple[EntityRecord, Any]]:
        for entity in _covered():
            for page in _pages(walk, entity, ACTOR, walk.person.actors()):
                for snapshot in page:
                    if snapshot.reference.path not in walk.own:
                        yield entity, snapshot


def expand(walk: Walk) -> None:
    """Let the person be known by all identifiers that their own records name, such as the address of a user id.

    Only the identifying fields are read, and no value is looked for twice.
    """
    asked: set[tuple[str, str, str]] = set()
    several = [each for each in _covered() if len(identifying(each.personal)) > 1]
    while _expanded(walk, several, asked):
        pass


def _expanded(walk: Walk, several: Sequence[EntityRecord], asked: set[tuple[str, str, str]]) -> bool:
    """Look for the identifiers that were not looked for yet; tell whether others came to light."""
    new = False
    for entity in several:
        finders = identifying(entity.personal)
        names = [each.field for each in finders]
        for each in finders:
            values = {value for value in walk.person.values[each.kind] if (entity.name, each.field, value) not in asked}
            asked |= {(entity.name, each.field, value) for value in values}
            for page in _pages(walk, entity, each.field, list(values), each, only=names):
                for snapshot in page:
                    fields = snapshot.to_dict()
                    touch = touch_of(entity, fields, walk.person)
                    new = (touch is not None and learned(touch, fields, walk.person)) or new
    return new


def collect_jobs(walk: Walk) -> None:
    """Take in the ids of the person's jobs and imports, before their documents are erased."""
    for entity in _covered():
        if entity.name in WORKERS:
            for each in identifying(entity.personal):
                for page in _pages(walk, entity, each.field, list(walk.person.values[each.kind]), each):
                    walk.jobs |= {snapshot.id for snapshot in page}


def _covered() -> list[EntityRecord]:
    """Return the entities that are walked; the audit trail has a store of its own."""
    return sorted((each for each in entities().values() if each.audited != "never"), key=lambda each: each.name)


def _pages(
    walk: Walk,
    entity: EntityRecord,
    field: str,
    values: Sequence[str],
    personal: PersonalRecord | None = None,
    only: Sequence[str] = (),
) -> Iterator[list[Any]]:
    """Yield the documents in which a field has one of some values, page by page in the order of their names.

    Args:
        walk: The walk.
        entity: Which documents.
        field: The field; a list has one of the values among its elements.
        values: What it is compared with.
        personal: The field's declaration; None for the technical map's.
        only: Fields to read; empty reads all.
    """
    operator = "array_contains_any" if personal is not None and personal.repeated else "in"
    for some in in_chunks(sorted(values), MOST_VALUES):
        query = raw_documents.query(walk.context, entity).where(filter=FieldFilter(field, operator, list(some)))
        query = (query.select(list(only)) if only else query).order_by("__name__").limit(PAGE)
        start = None
        while True:
            asked = query if start is None else query.start_after({"__name__": start})
            with translated():
                page = list(asked.stream(**bounded(walk.context.deadline, 60)))
            if page:
                yield page
                walk.alive()
            if len(page) < PAGE:
                break
            start = page[-1].reference


def _erased(walk: Walk, entity: EntityRecord, page: list[Any]) -> int:
    """Erase the person from a page of documents; return how many were changed."""
    names = [each.id for each in page if each.reference.path not in walk.own]
    changed = 0
    for some in in_chunks(names, CHUNK):
        changed += transact(walk.context, functools.partial(_within, walk, entity, some), answers=False)
        walk.alive()
    return changed


def _within(walk: Walk, entity: EntityRecord, names: Sequence[str], work: Work) -> int:
    changed = 0
    require_none(walk.context, walk.person.digests(walk.context), work=work)
    for snapshot in raw_documents.read(work, entity, names):
        fields = snapshot.to_dict()
        touch = touch_of(entity, fields, walk.person)
        wrote = (fields.get(META) or {}).get("actor") in walk.person.actors()
        if touch is None and not wrote:
            continue
        deletes = touch is not None and touch.deletes
        if deletes and entity.collection == PEOPLE:
            require_another_admin(walk.context, snapshot.id, work.transaction)
        noted = {META_ERASURE: walk.case}
        if deletes:
            raw_documents.delete(work, entity, snapshot, noted=noted)
        else:
            changes = {} if touch is None else changes_of(touch, fields, walk.person, walk.pseudonym)
            raw_documents.update(work, entity, snapshot, changes, noted=noted)
        work.write(
            *erasures.marker(
                walk.context,
                snapshot.reference.path,
                case=walk.case,
                entity=entity.name,
                operation="deleted" if deletes else "updated",
                version=snapshot.update_time,
            )
        )
        changed += 1
    return changed


def _found(entity: EntityRecord, snapshot: Any, touch: Touch) -> Found:
    if touch.deletes:
        fields: tuple[tuple[str, str], ...] = tuple((name, "delete") for name in touch.own)
    else:
        fields = tuple((name, each.erasure) for name, each in touch.own.items())
    action: Action = "delete" if touch.deletes else _strongest(touch)
    return Found(kind=entity.name, name=snapshot.reference.path, action=action, fields=fields, bound=True)


def _id_of(entity: EntityRecord, snapshot: Any) -> str:
    """Return a document's id as whoever wrote it may know it: not where it identifies somebody else."""
    names_somebody = any(each.identifies and each.field == entity.key for each in entity.personal)
    return MASK if names_somebody else str(snapshot.id)


def _strongest(touch: Touch) -> Action:
    return "pseudonymise" if any(each.erasure == "pseudonymise" for each in touch.own.values()) else "clear"


def _json(value: Any) -> Any:
    return json_value(raw_documents.plain(value))
