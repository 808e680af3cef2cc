"""The functions of the manifest as the local cloud needs them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from triggers.declaration import KINDS, Document, Function, Http, Message, Retry, Schedule, Task

MANIFEST_FILE = Path(__file__).parent.parent / "manifest.json"
DEAD_LETTERS = "*dead-letter*"
"""The topic that stands for the dead-letter topics of all other consumers."""

Declared = TypeVar("Declared", bound=Function)


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalFunction:
    """One entry of the manifest.

    Attributes:
        name: Name of the function.
        module: Module of the handler.
        entry_point: Name of the handler in the module.
        declaration: What it declared.
    """

    name: str
    module: str
    entry_point: str
    declaration: Function

    @property
    def kind(self) -> str:
        """``http``, ``message``, ``document``, ``schedule`` or ``task``."""
        return next(kind for kind, declared in KINDS.items() if isinstance(self.declaration, declared))


def _declaration(record: Mapping[str, Any]) -> Function:
    kind = KINDS[record["kind"]]
    values = {field.name: record[field.name] for field in dataclasses.fields(kind) if field.name in record}
    for name, value in values.items():
        if name == "retry":
            values[name] = Retry(**value)
        elif isinstance(value, list):
            values[name] = tuple(value)
    return kind(**values)


def read_manifest(path: Path = MANIFEST_FILE) -> list[LocalFunction]:
    """Return every function of a manifest."""
    return [
        LocalFunction(
            name=record["name"],
            module=record["module"],
            entry_point=record["entry_point"],
            declaration=_declaration(record),
        )
        for record in json.loads(path.read_text(encoding="utf-8"))["functions"]
    ]


def declared(functions: Iterable[LocalFunction], kind: type[Declared]) -> list[tuple[LocalFunction, Declared]]:
    """Return the functions of one kind with their declarations."""
    return [(function, function.declaration) for function in functions if isinstance(function.declaration, kind)]


def dead_letter_topic(function: str) -> str:
    """Return the id of a consumer's dead-letter topic."""
    return f"{function}-dead-letter"


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """A subscription of a consumer.

    Attributes:
        name: Id of the subscription.
        topic: Id of the topic.
        function: The consumer.
        declaration: What it declared.
    """

    name: str
    topic: str
    function: str
    declaration: Message


def subscriptions(functions: Iterable[LocalFunction]) -> list[Subscription]:
    """Return every subscription: one a consumer, and for the consumer of dead letters one a dead-letter topic."""
    consumers = declared(functions, Message)
    sources = [function.name for function, declaration in consumers if declaration.dead_letter]
    found = []
    for function, declaration in consumers:
        if declaration.topic == DEAD_LETTERS:
            found += [
                Subscription(
                    name=f"{function.name}.{source}",
                    topic=dead_letter_topic(source),
                    function=function.name,
                    declaration=declaration,
                )
                for source in sources
                if source != function.name
            ]
        else:
            found.append(
                Subscription(
                    name=function.name, topic=declaration.topic, function=function.name, declaration=declaration
                )
            )
    return found


def topics(functions: Iterable[LocalFunction], domains: Iterable[str]) -> list[str]:
    """Return the ids of all topics: one a domain, those consumers ask for, and their dead-letter topics."""
    functions = list(functions)
    found = {f"{domain}-events" for domain in domains}
    found |= {subscription.topic for subscription in subscriptions(functions)}
    found |= {
        dead_letter_topic(function.name)
        for function, declaration in declared(functions, Message)
        if declaration.dead_letter
    }
    return sorted(found)


__all__ = [
    "DEAD_LETTERS",
    "Document",
    "Http",
    "LocalFunction",
    "Message",
    "Schedule",
    "Subscription",
    "Task",
    "dead_letter_topic",
    "declared",
    "read_manifest",
    "subscriptions",
    "topics",
]
