"""What looks like personal data by its name or type: the fields that a declaration has to say something about."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from datetime import datetime
from types import NoneType
from typing import Any

from pydantic import AwareDatetime, BaseModel, EmailStr, NameEmail

_PEOPLE = """
email mail name firstname lastname surname nickname username login phone telephone mobile fax address street city
postcode ip avatar picture photo birthday birthdate gender owner assignee author actor recipient sender contact person
subject attendee participant creator editor reviewer approver signature location
"""
WORDS = frozenset(re.findall(r"\w+", _PEOPLE))
"""A field one of whose words (``_`` apart) is among these looks personal."""

PHRASES = re.compile(r"(^|_)(user_id|user_agent|account_id|date_of_birth|host_name)$|_by$|^by$|(^|_)e_mail(_|$)")

NO_PERSON = re.compile(r"(^|_)(subject_id|mobile_\w+|\w+_(kind|type|digests?))$")
"""Names that contain such a word and mean something else in this field: the subject of an opportunity is a keyword."""


NO_TEXT = frozenset({bool, int, float, datetime, AwareDatetime, NoneType})
"""Types that name nobody: whether an address is verified says nothing about which."""


def looks_personal(name: str, annotation: Any = None) -> bool:
    """Tell whether a field looks personal."""
    if any(kind in {EmailStr, NameEmail} for kind in _leaves(annotation)):
        return True
    if annotation is not None and all(kind in NO_TEXT for kind in _leaves(annotation)):
        return False
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    if NO_PERSON.search(snake):
        return False
    return bool(PHRASES.search(snake)) or not WORDS.isdisjoint(snake.split("_")) or snake == "filename"


def personal_paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted stored names of every field that looks personal, in models within models, too."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        if looks_personal(name, field.annotation):
            yield path
            continue
        for inner in {leaf for leaf in _leaves(field.annotation) if isinstance(leaf, type)}:
            if issubclass(inner, BaseModel) and inner is not model:
                yield from personal_paths(inner, f"{path}.")


def _leaves(annotation: Any) -> Iterator[Any]:
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    inner = typing.get_args(annotation)
    if not inner or typing.get_origin(annotation) is typing.Literal:
        yield annotation
        return
    for each in inner:
        yield from _leaves(each)
