"""What of a change's values an entry keeps: bounded in size, without content nobody may copy, with commitments.

An entry stays below the megabyte a document may have, whatever changed:

1. a value above ``LARGEST`` bytes is cut to its first ``SHOWN`` characters, with its size and digest;
2. if the entry is still above ``BUDGET`` bytes, its largest values are cut in turn, and then shown no more;
3. if the names alone are too many, those that find no place are counted, and digested in their order.

So no change is lost: every changed field is either named, with size and digest of what was cut, or counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from common.events import Change
from common.platform.audit.canonical import canonical, commitment, salt, sha256
from common.platform.audit.models import FieldChange, Side
from common.registry import EntityRecord

LARGEST = 32_768
"""Bytes of a value that is kept whole; such a change can be set back."""
SHOWN = 200
"""Characters that are kept of a value that was cut."""
BUDGET = 524_288
"""Bytes of all changes of an entry: half of what a document may have."""
TECHNICAL = frozenset({"tenant_id", "schema_version"})
"""Fields that every document carries and that say nothing of the change."""

MOST_FIELDS = 2000
CROWD = 1000
"""Elements of a personal list up to which an entry knows each person in it; a longer one is kept as private."""

ABSENT = object()


@dataclass(frozen=True, slots=True)
class Kept:
    """What an entry keeps.

    Attributes:
        changes: Field by field.
        left_out: Names of the fields that found no place.
    """

    changes: list[FieldChange]
    left_out: list[str]


def changes_of(entity: EntityRecord, change: Change) -> Kept:
    """Return what an entry keeps of a change."""
    sides = dict(sorted(_sides(change)))
    many = list(sides)[MOST_FIELDS:]
    personal = {each.field for each in entity.personal}
    kept = [
        FieldChange(
            field=name,
            old=_side(
                old, private=name in entity.private or (name in personal and _crowded(old)), personal=name in personal
            ),
            new=_side(
                new, private=name in entity.private or (name in personal and _crowded(new)), personal=name in personal
            ),
        )
        for name, (old, new) in list(sides.items())[:MOST_FIELDS]
    ]
    kept += [_secret(name, change.operation) for name in change.secret_changed]
    fitting = bounded(sorted(kept, key=lambda each: each.field))
    return Kept(fitting.changes, [*fitting.left_out, *many])


def _sides(change: Change) -> Iterable[tuple[str, tuple[Any, Any]]]:
    """Yield old and new value of every field that changed."""
    match change.operation:
        case "created":
            changed = ((name, (ABSENT, value)) for name, value in change.data.items())
        case "deleted":
            changed = ((name, (value, ABSENT)) for name, value in change.data.items())
        case _:
            before, data = change.before, change.data
            changed = ((name, (before.get(name, ABSENT), data.get(name, ABSENT))) for name in change.changed_fields)
    return ((name, both) for name, both in changed if name not in TECHNICAL)


def _side(value: Any, *, private: bool, personal: bool) -> Side | None:
    if value is ABSENT:
        return None
    content = canonical(value)
    if private:
        return Side(state="private", size=len(content))
    side = Side(state="shown", value=value, size=len(content))
    if len(content) > LARGEST:
        side = _cut(side, content)
    return _committed(side) if personal else side


def _crowded(value: Any) -> bool:
    return isinstance(value, list) and len(value) > CROWD


def _committed(side: Side) -> Side:
    """Return a side with the commitment to what it shows; a plain digest would let one guess the value."""
    salted = salt()
    changes = {"salt": salted, "commitment": commitment(salted, side.value), "sha256": None}
    return side.model_copy(update=changes)


def _cut(side: Side, content: bytes, shown: int = SHOWN) -> Side:
    beginning = content[: 4 * shown].decode("utf-8", "ignore")[:shown]
    digest = side.sha256 if side.state == "cut" else sha256(content)
    return Side(state="cut", value=beginning if shown else None, size=side.size, sha256=digest)


def _secret(name: str, operation: str) -> FieldChange:
    side = Side(state="secret")
    old, new = None if operation == "created" else side, None if operation == "deleted" else side
    return FieldChange(field=name, old=old, new=new)


def size_of(change: FieldChange) -> int:
    """Return the bytes that a field's change takes in an entry, with the comma behind it."""
    return len(canonical(change.model_dump(mode="json", exclude_defaults=True))) + 1


def bounded(changes: list[FieldChange], budget: int = BUDGET) -> Kept:
    """Return changes that fit, the largest values cut first, and the names of those left out.

    Args:
        changes: By name; values above ``LARGEST`` are cut already.
        budget: Bytes.
    """
    sizes = [size_of(change) for change in changes]
    total = sum(sizes)
    kept = list(changes)
    for shown in (SHOWN, 0):
        for place in sorted(range(len(kept)), key=lambda each: -sizes[each]):
            if total <= budget:
                return Kept(kept, [])
            shorter = FieldChange(
                field=kept[place].field, old=_shorter(kept[place].old, shown), new=_shorter(kept[place].new, shown)
            )
            size = size_of(shorter)
            if size < sizes[place]:
                total -= sizes[place] - size
                kept[place], sizes[place] = shorter, size
    return _placed(kept, sizes, budget)


def _shorter(side: Side | None, shown: int) -> Side | None:
    """Return a side that shows at most so many characters."""
    if side is None or side.state not in {"shown", "cut"}:
        return side
    short = _cut(side, canonical(side.value), shown)
    return _committed(short) if side.commitment is not None else short


def _placed(changes: list[FieldChange], sizes: list[int], budget: int) -> Kept:
    """Return as many changes as fit, in their order, and the names of the others."""
    placed, left_out, used = [], [], 0
    for change, size in zip(changes, sizes, strict=True):
        if used + size <= budget:
            placed.append(change)
            used += size
        else:
            left_out.append(change.field)
    return Kept(placed, left_out)
