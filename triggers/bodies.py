"""JSON bodies: read strictly, validated by the handler's model, with errors that point to the field."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, cast

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, SchemaValidator

from common.errors import BadRequest, FieldError, Unprocessable, UnsupportedMediaType
from triggers.exchange import Exchange

MAX_DEPTH = 64
"""Nesting beyond this is an attack, not data: Firestore stores 20 levels."""

MAX_ERRORS = 100
"""Errors that a refusal lists; a list of thousands of wrong items is wrong in one way."""

_CODES = {"extra_forbidden": "unknown_field", "missing": "required", "value_error": "invalid_value"}


def validator_of(annotation: Any) -> SchemaValidator:
    """Return the compiled validator of a model, or of any other annotation pydantic knows."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return cast("SchemaValidator", annotation.__pydantic_validator__)
    validator = TypeAdapter(annotation).validator
    assert isinstance(validator, SchemaValidator)
    return validator


def check_media_type(exchange: Exchange, accepts: Sequence[str]) -> str:
    """Return the body's media type.

    Raises:
        UnsupportedMediaType: It is none of ``accepts``, or a text in another encoding than UTF-8.
    """
    kind, parameters = exchange.media_type()
    charset = parameters.partition("charset=")[2].partition(";")[0].strip('" ')
    if kind in accepts and charset in {"", "utf-8", "utf8", "us-ascii"}:
        return kind
    raise UnsupportedMediaType(
        "unsupported_media_type",
        f"the body must be {' or '.join(accepts)} in UTF-8",
        headers={"Accept": ", ".join(accepts)},
    )


def parse_json(content: bytes) -> Any:
    """Parse JSON as RFC 8259 has it, refusing what parsers disagree about.

    Raises:
        BadRequest: Code ``malformed_json``, with ``line``, ``column`` (1-based, characters) and ``offset`` (0-based,
            bytes): not JSON, not UTF-8, ``NaN`` or ``Infinity``, a key twice in one object, nested too deep.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed("the body is not UTF-8", content, error.start) from error
    try:
        value = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise _malformed(error.msg, content, len(text[: error.pos].encode("utf-8", "replace"))) from error
    except RecursionError as error:
        raise _malformed("nested too deep", content, _too_deep_at(content) or 0) from error
    except ValueError as error:
        raise _malformed(str(error), content, _offset_of(content, error)) from error
    if content.count(b"[") + content.count(b"{") > MAX_DEPTH and (deep := _too_deep_at(content)) is not None:
        raise _malformed("nested too deep", content, deep)
    return value


class _Literal(ValueError):
    """A piece of the text that is refused."""

    def __init__(self, detail: str, literal: str, occurrence: int = 1) -> None:
        super().__init__(detail)
        self.literal = literal
        self.occurrence = occurrence


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _Literal(f"the key {twice!r} appears twice in one object", json.dumps(twice, ensure_ascii=False), 2)
    return members


def _no_constant(literal: str) -> NoReturn:
    raise _Literal(f"{literal} is no JSON number", literal)


def _offset_of(content: bytes, error: ValueError) -> int:
    """Find the refused literal; numbers with thousands of digits are refused without one."""
    if not isinstance(error, _Literal):
        return 0
    found = -1
    for _ in range(error.occurrence):
        found = content.find(error.literal.encode("utf-8", "replace"), found + 1)
    return max(found, 0)


def _too_deep_at(content: bytes) -> int | None:
    """Return the offset of the bracket that opens the first level beyond the limit, ignoring text in strings."""
    depth, inside, escaped = 0, False, False
    for at, byte in enumerate(content):
        if inside:
            inside = escaped or byte != 0x22
            escaped = byte == 0x5C and not escaped
        elif byte == 0x22:
            inside = True
        elif byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return at
        elif byte in b"]}":
            depth -= 1
    return None


def _malformed(detail: str, content: bytes, offset: int) -> BadRequest:
    before = content[:offset]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    return BadRequest(
        "malformed_json",
        f"{detail} (line {line}, column {column})",
        details={"line": line, "column": column, "offset": offset},
    )


def read_json(content: bytes, validator: SchemaValidator) -> Any:
    """Parse and validate a body.

    Raises:
        BadRequest: Not JSON.
        Unprocessable: Code ``validation_failed``, with ``errors``.
    """
    parsed = parse_json(content)
    try:
        return validator.validate_json(content)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        if any(detail["type"] == "json_invalid" for detail in details):
            raise _malformed(details[0]["msg"], content, 0) from error
        raise invalid(field_errors(details, parsed)) from error


def field_errors(details: Iterable[ErrorDetails], given: Any) -> list[FieldError]:
    """Translate pydantic's errors; the offending values are not repeated."""
    return [
        FieldError(
            pointer=pointer(detail["loc"], given),
            code=_CODES.get(detail["type"], detail["type"]),
            message=detail["msg"].removeprefix("Value error, "),
        )
        for detail in details
    ]


def invalid(errors: Sequence[FieldError]) -> Unprocessable:
    """Return the refusal of a request that can be read and breaks the operation's schema, with the first errors."""
    first = errors[0]
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    detail = f"{first.pointer or 'the body'}: {first.message}{more}"
    return Unprocessable("validation_failed", detail, errors=errors[:MAX_ERRORS])


def pointer(location: Sequence[str | int], given: Any) -> str:
    """Return the RFC 6901 pointer of a pydantic location.

    Pydantic's locations also name the member of a union that was tried (``("shape", "circle", "radius")``); walking
    the value that was given tells those from names that really are in it. The last step may be missing there.
    """
    steps: list[str] = []
    for at, step in enumerate(location):
        if isinstance(given, Mapping):
            if step in given:
                given = given[step]
            elif at < len(location) - 1:
                continue
        elif isinstance(given, list) and isinstance(step, int) and 0 <= step < len(given):
            given = given[step]
        else:
            continue
        steps.append(str(step).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{step}" for step in steps)
