"""Models as Firestore documents and back: the values Firestore knows, and the fields every document carries."""

from __future__ import annotations

import dataclasses
import enum
import functools
import secrets
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from pydantic import AnyUrl
from pydantic_core import Url

from common.context import Context
from common.model import Model

EntityModel = TypeVar("EntityModel", bound=Model)

META = "_meta"
SCHEMA_VERSION = "schema_version"
TENANT_ID = "tenant_id"


@dataclasses.dataclass(frozen=True, slots=True)
class Absent:
    """Stands for a field that a change removes."""


ABSENT = Absent()


def encode_value(value: object) -> Any:
    """Return ``value`` as Firestore stores it.

    Enumerations become their values, UUIDs and URLs strings, dates ISO 8601 strings, sets and tuples lists; aware
    times stay times (Firestore keeps microseconds).

    Raises:
        TypeError: A value Firestore cannot hold exactly: a decimal number, a naive time, a secret, another object.
    """
    match value:
        case enum.Enum():
            return encode_value(value.value)
        case None | bool() | int() | float() | str() | bytes():
            return value
        case datetime():
            if value.tzinfo is None:
                raise TypeError("a time without a zone cannot be stored")
            return value
        case date():
            return value.isoformat()
        case uuid.UUID() | AnyUrl() | Url():
            return str(value)
        case Mapping():
            return _encode_map(value)
        case set() | frozenset():
            return sorted(encode_value(item) for item in value)
        case Sequence():
            return [encode_value(item) for item in value]
        case _:
            raise TypeError(f"{type(value).__name__} cannot be stored in a document")


def _encode_map(value: Mapping[Any, Any]) -> dict[str, Any]:
    entries = {str(encode_value(key)): encode_value(item) for key, item in value.items()}
    if "" in entries:
        raise TypeError("an empty name cannot be stored")
    return entries


def encode(value: Model) -> dict[str, Any]:
    """Return the fields of a document, named by alias.

    Raises:
        TypeError: A field holds what Firestore cannot hold.
    """
    fields: dict[str, Any] = {}
    for name, item in value.model_dump(mode="python", by_alias=True).items():
        try:
            fields[name] = encode_value(item)
        except TypeError as error:
            raise TypeError(f"{type(value).__name__}.{name}: {error}") from error
    return fields


def _plain(value: object) -> Any:
    """Return a stored value without Firestore's own classes (its times are a subclass that remembers nanoseconds)."""
    match value:
        case datetime():
            moment = value.astimezone(UTC)
            return datetime(*moment.timetuple()[:6], microsecond=moment.microsecond, tzinfo=UTC)
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value


@functools.cache
def _own_fields(model: type[Model]) -> frozenset[str]:
    names = {field.alias or name for name, field in model.model_fields.items()}
    return frozenset({TENANT_ID, SCHEMA_VERSION} & names)


def stored_name(model: type[Model], path: str) -> str:
    """Return the document's name of a field (or dotted path into it) that is given by the model's name.

    Raises:
        ValueError: The model has no such field.
    """
    name, dot, rest = path.partition(".")
    for field, info in model.model_fields.items():
        if name in {field, info.alias or field}:
            return f"{info.alias or field}{dot}{rest}"
    raise ValueError(f"{model.__name__} has no field {name!r}")


def decode(model: type[EntityModel], fields: Mapping[str, Any]) -> EntityModel:
    """Return the model of a document.

    Fields the model does not know are ignored, at every depth: a newer version of the code may have written them, and
    updates leave them alone.

    Raises:
        pydantic.ValidationError: The document does not fit the model.
    """
    ignored = {META, SCHEMA_VERSION, TENANT_ID} - _own_fields(model)
    known = {name: _plain(value) for name, value in fields.items() if name not in ignored}
    return model.model_validate(known, extra="ignore")


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
    """Return what to write so that ``before`` becomes ``after``: field path to new value, or to ``ABSENT``.

    Maps are compared entry by entry, so that entries neither side knows are never touched; lists are replaced whole.
    """
    found: dict[tuple[str, ...], Any] = {}
    for name in (*before, *(name for name in after if name not in before)):
        if name not in after:
            found[(name,)] = ABSENT
        elif name not in before:
            found[(name,)] = after[name]
        elif isinstance(before[name], dict) and isinstance(after[name], dict):
            found.update({(name, *path): value for path, value in changes(before[name], after[name]).items()})
        elif not _same(before[name], after[name]):
            found[(name,)] = after[name]
    return found


def _same(one: object, other: object) -> bool:
    """Whether two stored values are the same; unlike in Python, 1, 1.0 and True differ."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, datetime) and isinstance(other, datetime):
        return one == other
    both_nan = one != one and other != other
    return type(one) is type(other) and (one == other or both_nan)


def meta_of(context: Context) -> dict[str, str | None]:
    """Return the technical map of a write: who wrote it in which chain; the relay moves it into the event.

    ``write_id`` is new each time: a change that leaves the map as it was did not come through the repository.
    """
    return {
        "request_id": context.request_id,
        "correlation_id": context.correlation_id or context.request_id,
        "causation_id": context.causation_id,
        "actor": f"{context.principal.kind}:{context.principal.id}",
        "function": context.function,
        "traceparent": context.trace.traceparent,
        "write_id": secrets.token_hex(8),
    }
