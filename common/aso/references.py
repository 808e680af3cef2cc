"""Which documents refer to a piece of content or to a keyword, and what becomes of them when it goes.

Firestore knows no foreign keys. So every field that holds the id of a piece or of a keyword is declared here once, with
what happens to its document; a test holds the list against all entities, so that none is forgotten. Whoever deletes or
merges asks ``take`` within the transaction, as much as fits it, or ``repoint`` for everything in passes::

    repoint(context, "keyword", {loser: winner})      # -> what was re-pointed, cleared and deleted, by entity

Passes begin with what still refers to the old id, so one that was interrupted goes on when it is asked for again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from common.answers import Record
from common.aso.clusters.entities import KEYWORD_CLUSTERS
from common.aso.entities import KEYWORDS, OPPORTUNITIES
from common.aso.pages.entities import LINK_AUDITS, PAGE_AUDITS
from common.aso.pages.links import without_spokes
from common.context import Context
from common.entity import Entity
from common.store import Repository, Work, in_chunks, transact

Target = Literal["content", "keyword"]
Fate = Literal["reassigned", "cleared", "deleted"]
Replacements = Mapping[str, str | None]
"""Old id to the id that takes its place, or to None where nothing does."""

WRITES = 450
"""Writes of one pass, below Firestore's 500."""

IN = 30
"""Values that one ``in`` or ``array_contains_any`` filter takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A field that refers to something.

    Attributes:
        entity: The documents that have the field.
        field: The field: an id, or a list of ids where ``many``.
        to: What it refers to.
        many: Whether it is a list.
        policy: ``point``: the field gets the replacement's id, or null (a list: without it); ``delete``: the document
            means nothing without what it refers to, and goes with it.
        changed: What else changes in the document, instead of the field alone: returns its new state.
    """

    entity: Entity[Any]
    field: str
    to: Target
    many: bool = False
    policy: Literal["point", "delete"] = "point"
    changed: Callable[[Any, Replacements], Any] | None = None

    def holds(self, document: Any) -> set[str]:
        """Return the ids that a document refers to."""
        value = getattr(document, self.field)
        return set(value or ()) if self.many else {value} - {None}


REFERENCES: tuple[Reference, ...] = (
    Reference(entity=KEYWORDS, field="content_id", to="content"),
    Reference(entity=OPPORTUNITIES, field="content_id", to="content"),
    Reference(entity=PAGE_AUDITS, field="content_id", to="content", policy="delete"),
    Reference(entity=LINK_AUDITS, field="content_id", to="content", policy="delete"),
    Reference(entity=LINK_AUDITS, field="spoke_ids", to="content", many=True, changed=without_spokes),
    Reference(entity=KEYWORD_CLUSTERS, field="content_id", to="content"),
    Reference(entity=KEYWORD_CLUSTERS, field="hub_id", to="content"),
    Reference(entity=KEYWORD_CLUSTERS, field="label_keyword_id", to="keyword"),
)

KEPT: Mapping[tuple[str, str], str] = {
    ("content_piece", "content_id"): "is the piece itself",
    ("content_piece", "hub_id"): "spokes keep their hub from going, go with it, or move (common.aso.deletion)",
    ("keyword", "keyword_id"): "is the keyword itself",
    ("rank_observation", "keyword_id"): "a fact about a day, found again when the keyword is followed again",
    ("opportunity", "keyword_id"): "part of its identity; the next scan closes it",
    ("opportunity", "subject_id"): "part of its identity; the next scan closes it",
    ("opportunity_outcome", "keyword_id"): "what came of an opportunity is history",
    ("opportunity_outcome", "subject_id"): "what came of an opportunity is history",
    ("link_audit", "spokes.content_id"): "follows spoke_ids",
    ("rank_alert", "keyword_id"): "tells of a change on one day, which stays true",
    ("site_audit", "findings.examples.content_id"): "tells what was found at one moment, which stays true",
    ("keyword_merge", "keyword_id"): "tells which keyword went",
}
"""Fields that hold such an id and are left as they are, by entity and field, each with the reason."""


@dataclass(slots=True)
class Taken:
    """What became of documents.

    Attributes:
        counts: Documents by entity and fate.
        complete: Whether nothing refers to the old ids any more (once this is committed).
    """

    counts: Counter[tuple[str, Fate]] = field(default_factory=Counter)
    complete: bool = False

    def of(self, entity: Entity[Any], *fates: Fate) -> int:
        """Return how many documents of an entity met one of the fates."""
        return sum(self.counts[entity.name, fate] for fate in fates)

    def as_dict(self) -> dict[str, dict[str, int]]:
        """Return the counts by entity, then fate; what is 0 is left out."""
        found: dict[str, dict[str, int]] = {}
        for (name, fate), number in sorted(self.counts.items()):
            if number:
                found.setdefault(name, {})[fate] = number
        return found


@dataclass(slots=True)
class _Holder:
    """A document with the references in it that are concerned."""

    record: Record[Any]
    references: list[Reference]

    @property
    def entity(self) -> Entity[Any]:
        return self.references[0].entity

    @property
    def goes(self) -> bool:
        return any(reference.policy == "delete" for reference in self.references)

    @property
    def cost(self) -> int:
        """Writes: the document, the tombstone of a deletion, the keys of its uniqueness."""
        return 1 + self.goes + 2 * len(self.entity.unique)


def take(work: Work, to: Target, replacements: Replacements, *, beside: int = 0) -> Taken:
    """Let documents go of ids, or point them to others, as many as fit one transaction.

    Args:
        work: The transaction; nothing of these documents may have been written in it.
        to: What the ids are of.
        replacements: Old to new ids.
        beside: Writes that the caller adds to the transaction if, and only if, nothing is left then.
    """
    holders = _holders(work, to, list(replacements), limit=WRITES + 1)
    taken = Taken(complete=sum(holder.cost for holder in holders) + beside <= WRITES)
    used = 0
    for holder in holders:
        used += holder.cost
        if used > WRITES:
            break
        taken.counts[holder.entity.name, _settle(work, holder, replacements)] += 1
    return taken


def repoint(context: Context, to: Target, replacements: Replacements) -> Taken:
    """Let all documents go of ids, or point them to others, in as many transactions as it takes.

    Raises:
        Unavailable: The deadline passed between two passes; asked again, it goes on.
    """
    taken = Taken()
    while not taken.complete:
        found = transact(context, lambda work: take(work, to, replacements), answers=False)
        taken.counts += found.counts
        taken.complete = found.complete
    return taken


def foreseen(context: Context, to: Target, ids: Iterable[str], *, replaced: bool) -> Taken:
    """Return what ``repoint`` would do, by counting alone; a document with two references counts for each field.

    Args:
        context: Whose documents.
        to: What the ids are of.
        ids: The ids that go.
        replaced: Whether another id takes their place.
    """
    taken = Taken(complete=True)
    for reference in _references(to):
        fate: Fate = "deleted" if reference.policy == "delete" else _fate(reference, replaced=replaced)
        repository = Repository(reference.entity, context)
        for some in in_chunks(list(ids), IN):
            taken.counts[reference.entity.name, fate] += repository.count([_filter(reference, some)])
    return taken


def _references(to: Target) -> list[Reference]:
    return [reference for reference in REFERENCES if reference.to == to]


def _filter(reference: Reference, ids: Sequence[str]) -> tuple[str, str, list[str]]:
    return (reference.field, "array_contains_any" if reference.many else "in", list(ids))


def _holders(work: Work, to: Target, ids: Sequence[str], limit: int) -> list[_Holder]:
    """Return documents that refer to ids, each once."""
    found: dict[tuple[str, str], _Holder] = {}
    for reference in _references(to):
        for some in in_chunks(ids, IN):
            for record in work.select(reference.entity, [_filter(reference, some)], limit=limit):
                name = (reference.entity.name, str(getattr(record.value, reference.entity.key)))
                holder = found.setdefault(name, _Holder(record, []))
                if reference not in holder.references:
                    holder.references.append(reference)
    return list(found.values())


def _settle(work: Work, holder: _Holder, replacements: Replacements) -> Fate:
    if holder.goes:
        work.delete(holder.entity, holder.record)
        return "deleted"
    value = holder.record.value
    fate: Fate = "cleared"
    for reference in holder.references:
        if reference.changed is not None:
            value = reference.changed(value, replacements)
            continue
        value = value.model_copy(update={reference.field: _pointed(reference, value, replacements)})
        if any(replacements.get(each) is not None for each in reference.holds(holder.record.value)):
            fate = "reassigned"
    if "updated_at" in holder.entity.model.model_fields:
        value = value.model_copy(update={"updated_at": datetime.now(UTC)})
    work.update(holder.entity, holder.record, value)
    return fate


def _fate(reference: Reference, *, replaced: bool) -> Fate:
    return "reassigned" if replaced and reference.changed is None else "cleared"


def _pointed(reference: Reference, document: Any, replacements: Replacements) -> Any:
    value = getattr(document, reference.field)
    if not reference.many:
        return replacements.get(value, value)
    moved = [replacements.get(each, each) for each in value]
    return list(dict.fromkeys(each for each in moved if each is not None))
