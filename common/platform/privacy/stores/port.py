"""What the walk asks of every store: find, export and erase what is about a person, always in the same three verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from common.context import Context
from common.platform.privacy.person import Person

Action = Literal["delete", "clear", "pseudonymise", "redact", "drop"]


@dataclass(kw_only=True, slots=True)
class Walk:
    """One walk through the stores.

    Attributes:
        context: Circumstances, with the tenant.
        person: Whom it is about; learns identifiers on the way.
        case: Id of the job that walks.
        alive: Called now and then, so that whoever watches sees that the walk goes on; may end the run.
        jobs: Ids of the person's jobs and imports, whose files are theirs; filled by the store of documents.
        touched: Names of entities of which a record was found.
        own: Documents that belong to the walk itself and are left alone.
    """

    context: Context
    person: Person
    case: str = ""
    alive: Callable[[], None] = lambda: None
    jobs: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    own: frozenset[str] = frozenset()

    def pseudonym(self, kind: str, value: str) -> str:
        """Return what stands in the place of a value."""
        return self.person.pseudonym(self.context, kind, value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A record about the person.

    Attributes:
        kind: Entity, table, collection or folder.
        name: Where it is within the store: a path, a key; never shown to people, because it may hold an identifier.
        action: What an erasure does with it.
        fields: What happens to which field, where that is known.
        count: Records that this stands for.
        bound: Whether a plan stands and falls with it.
    """

    kind: str
    name: str
    action: Action
    fields: tuple[tuple[str, str], ...] = ()
    count: int = 1
    bound: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """A record as the person gets it.

    Attributes:
        kind: Entity, table, collection or folder.
        data: The record: JSON values.
    """

    kind: str
    data: dict[str, Any]


class Store(Protocol):
    """A place where records about people are kept.

    Attributes:
        name: In plans and results.
        hands_over: Whether ``erase`` may be interrupted by ``walk.alive`` and called again without end: each call gets
            further, because it looks only for what is left.
    """

    name: str
    hands_over: bool

    def find(self, walk: Walk) -> Iterator[Found]:
        """Yield what the store has about the person; changes nothing."""

    def export(self, walk: Walk) -> Iterator[Exported]:
        """Yield what the store has about the person and a copy of which belongs into an access export."""

    def erase(self, walk: Walk) -> dict[str, int]:
        """Erase what the store has about the person; return records by kind. Harmless to repeat at any point."""
