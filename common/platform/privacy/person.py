"""A person as the walk through the stores knows them: every identifier found so far, and what is put in its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from common.context import Context
from common.crypto import digests
from common.email_address import normalised_email
from common.protection.subjects import Subject, digest_of

PSEUDONYM = "pseudonym"
"""Purpose of the digests that stand for erased values."""

KINDS = ("user_id", "email")
PERSON_KINDS = frozenset(KINDS)
_ADDRESS = re.compile(r"[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")


class Person:
    """Whom the walk looks for.

    Attributes:
        values: Identifiers by kind, e-mail addresses in their one form and as they were written.
    """

    def __init__(self, values: Iterable[tuple[str, str]] = ()) -> None:
        self.values: dict[str, set[str]] = {kind: set() for kind in KINDS}
        self._pseudonyms: dict[str, str] = {}
        for kind, value in values:
            self.learn(kind, value)

    @classmethod
    def of(cls, subject: Subject) -> Person:
        """Return the person that a subject names."""
        return cls(subject.identifiers())

    def learn(self, kind: str, value: object) -> bool:
        """Take in another identifier of the person; tell whether it was new."""
        if kind not in PERSON_KINDS or not isinstance(value, str) or not value or value in self.values[kind]:
            return False
        self.values[kind] |= {value, _folded(value)} if kind == "email" else {value}
        return True

    def owns(self, kind: str, value: object) -> bool:
        """Tell whether a stored value, or an element of a stored list, is an identifier of the person."""
        if isinstance(value, list):
            return any(self.owns(kind, each) for each in value)
        if not isinstance(value, str):
            return False
        return value in self.values[kind] or (kind == "email" and _folded(value) in self.values[kind])

    def identifiers(self) -> Iterator[tuple[str, str]]:
        """Yield kind and value of every identifier, in a stable order."""
        for kind in KINDS:
            for value in sorted(self.values[kind]):
                yield kind, value

    def actors(self) -> list[str]:
        """Return the person as technical maps of documents name who wrote."""
        return [f"user:{value}" for value in sorted(self.values["user_id"])]

    def digests(self, context: Context) -> list[str]:
        """Return the keyed digests that holds, suppressions and the audit trail know the person by."""
        return [digest_of(context, kind, value) for kind, value in self.identifiers()]

    def pseudonym(self, context: Context, kind: str, value: str) -> str:
        """Return what stands in the place of a value from now on: equal for equal values."""
        if value not in self._pseudonyms:
            canonical = _folded(value) if kind == "email" else value
            self._pseudonyms[value] = pseudonym_of(kind, digests.keyed(context, PSEUDONYM, canonical))
        return self._pseudonyms[value]

    def masked(self, text: str) -> str:
        """Return a text without the e-mail addresses of other people."""
        return _ADDRESS.sub(lambda match: match[0] if self.owns("email", match[0]) else MASK, text)


MASK = "(another person)"
"""What stands in an access export for somebody else's data."""


def pseudonym_of(kind: str, digest: str) -> str:
    """Return the pseudonym of a digest: an address where an address is expected."""
    name = f"erased-{digest[:32]}"
    return f"{name}@erased.invalid" if kind == "email" else name


def mask_all(person: Person, value: Any) -> Any:
    """Return a value without other people's e-mail addresses, at every depth."""
    match value:
        case str():
            return person.masked(value)
        case dict():
            return {name: mask_all(person, each) for name, each in value.items()}
        case list():
            return [mask_all(person, each) for each in value]
        case _:
            return value


def _folded(value: str) -> str:
    try:
        return normalised_email(value)
    except ValueError:
        return value.casefold()
