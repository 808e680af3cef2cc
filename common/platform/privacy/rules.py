"""What a declaration says about one record and one person: whose values it holds, and what an erasure does to them.

A record is about a person when one of its identifying fields (a user id, an e-mail address) holds an identifier of
theirs. Identifying fields stand for one person each, except that those which let the whole record be deleted describe
the same person, and that ``of`` names another identifying field of the same person. Any other personal field belongs to
the person it names with ``of``, or to whom the record is about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from common.platform.privacy.person import MASK, Person, mask_all
from common.registry import EntityRecord, FactsRecord, PersonalRecord

Replace = Callable[[str, str], str]
"""Returns the pseudonym of a value, given its kind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Touch:
    """How a record concerns a person.

    Attributes:
        own: Personal fields with the person's values, by name.
        others: Personal fields with other people's values.
        deletes: Whether an erasure takes the whole record.
    """

    own: Mapping[str, PersonalRecord]
    others: Mapping[str, PersonalRecord] = field(default_factory=dict)
    deletes: bool = False

    @property
    def action(self) -> str:
        """What an erasure does to the record."""
        return "delete" if self.deletes else "change"


def value_at(fields: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path, or None."""
    value: Any = fields
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def identifying(personal: tuple[PersonalRecord, ...]) -> list[PersonalRecord]:
    """Return the fields that people are found by."""
    return [each for each in personal if each.identifies]


def touch_of(declared: EntityRecord | FactsRecord, fields: Mapping[str, Any], person: Person) -> Touch | None:
    """Return how a record concerns the person; None where no identifier of theirs is in it."""
    finders = identifying(declared.personal)
    found = {each.field for each in finders if person.owns(each.kind, value_at(fields, each.field))}
    if not found:
        return None
    own = _same_person(finders, found)
    deletes = any(each.erasure == "delete" and each.field in own for each in declared.personal)
    mine, others = {}, {}
    for each in declared.personal:
        if each.field in own or (not each.identifies and _belongs(each, own, finders, deletes=deletes)):
            mine[each.field] = each
        else:
            others[each.field] = each
    return Touch(own=mine, others=others, deletes=deletes)


def _same_person(finders: list[PersonalRecord], found: set[str]) -> set[str]:
    """Return the identifying fields that stand for the same person as those found."""
    own = set(found)
    if any(each.erasure == "delete" and each.field in own for each in finders):
        own |= {each.field for each in finders if each.erasure == "delete" and each.of in {None, *own}}
    for _ in finders:
        own |= {each.field for each in finders if each.of in own}
        own |= {each.of for each in finders if each.field in own and each.of is not None}
    return own


def _belongs(each: PersonalRecord, own: set[str], finders: list[PersonalRecord], *, deletes: bool) -> bool:
    """Tell whether a field that nobody is found by is about the person."""
    if each.of is not None:
        return each.of in own
    whole = {finder.field for finder in finders if finder.erasure == "delete"}
    return deletes or not whole or len(finders) == 1


def learned(touch: Touch, fields: Mapping[str, Any], person: Person) -> bool:
    """Let the person be known by every identifier that a record has of them; tell whether one was new."""
    new = False
    for each in touch.own.values():
        value = value_at(fields, each.field)
        if each.identifies and isinstance(value, str):
            new = person.learn(each.kind, value) or new
    return new


def changes_of(touch: Touch, fields: Mapping[str, Any], person: Person, replace: Replace) -> dict[str, Any]:
    """Return the new top-level values of a record that is changed, not deleted."""
    changed: dict[str, Any] = {}
    for path, each in touch.own.items():
        old = value_at(fields, path)
        new = _erased(each, old, person, replace)
        if new == old:
            continue
        top, _, rest = path.partition(".")
        changed[top] = _set(changed.get(top, fields.get(top)), rest, new)
    return changed


def _erased(each: PersonalRecord, old: Any, person: Person, replace: Replace) -> Any:
    if old is None or old == each.emptied:
        return old
    if isinstance(old, list):
        return [item for item in (_element(each, item, person, replace) for item in old) if item is not None]
    if each.erasure == "pseudonymise":
        return replace(each.kind, str(old))
    return each.emptied


def _element(each: PersonalRecord, item: Any, person: Person, replace: Replace) -> Any:
    """Return what becomes of one element of a list; None where it goes."""
    if each.identifies and not person.owns(each.kind, item):
        return item
    return replace(each.kind, str(item)) if each.erasure == "pseudonymise" else None


def _set(value: Any, path: str, new: Any) -> Any:
    if not path:
        return new
    top, _, rest = path.partition(".")
    whole = dict(value) if isinstance(value, Mapping) else {}
    whole[top] = _set(whole.get(top), rest, new)
    return whole


def exported(
    declared: EntityRecord | FactsRecord, touch: Touch, fields: Mapping[str, Any], person: Person
) -> dict[str, Any]:
    """Return a record as the person may see it: without secrets, other people's data masked."""
    hidden = {"_meta", *(declared.secret if isinstance(declared, EntityRecord) else ())}
    seen = {name: value for name, value in fields.items() if name not in hidden}
    for path, each in touch.own.items():
        value = value_at(seen, path)
        if isinstance(value, list) and each.identifies:
            top, _, rest = path.partition(".")
            masked = [item if person.owns(each.kind, item) else MASK for item in value]
            seen[top] = _set(seen.get(top), rest, masked)
    for path in touch.others:
        if value_at(seen, path) not in (None, "", [], {}):
            top, _, rest = path.partition(".")
            seen[top] = _set(seen.get(top), rest, MASK)
    return {name: mask_all(person, value) for name, value in seen.items()}
