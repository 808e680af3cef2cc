"""The columns of an exported table: taken from the model of its rows, with the type each cell is written as."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, get_args, get_origin

from pydantic import AwareDatetime

from common.model import Model, rfc3339

Kind = Literal["text", "integer", "number", "flag", "day", "timestamp"]
Value = None | bool | int | float | str
"""A cell as it is kept between reading and writing: times and days as RFC 3339 text."""


EXACT: Mapping[Any, Kind] = {
    bool: "flag",
    int: "integer",
    float: "number",
    datetime: "timestamp",
    AwareDatetime: "timestamp",
    date: "day",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Field of the row, and heading.
        kind: What its cells are; decides how they are written, never a guess from a value.
    """

    name: str
    kind: Kind = "text"


def columns_of(model: type[Model], *, leave_out: Collection[str] = (), days: Collection[str] = ()) -> list[Column]:
    """Return a column for each field of a model, in its order.

    Args:
        model: Model of the rows.
        leave_out: Fields that are not exported.
        days: Fields whose text is a calendar day.
    """
    fields = model.model_fields.items()
    return [
        Column(name=name, kind="day" if name in days else kind_of(field.annotation))
        for name, field in fields
        if name not in leave_out
    ]


def kind_of(annotation: Any) -> Kind:
    """Return the kind of cells that a type makes; lists, maps and choices are text."""
    if get_origin(annotation) in {typing.Union, types.UnionType}:
        kinds = {kind_of(each) for each in get_args(annotation) if each is not types.NoneType}
        if kinds == {"integer", "number"}:
            return "number"
        return kinds.pop() if len(kinds) == 1 else "text"
    if get_origin(annotation) is typing.Annotated:
        return kind_of(get_args(annotation)[0])
    return EXACT.get(annotation, "text")


def cells_of(row: Mapping[str, Any], columns: Sequence[Column]) -> list[Value]:
    """Return the cells of a row in the order of the columns."""
    return [_cell(row.get(column.name)) for column in columns]


def _cell(value: Any) -> Value:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return rfc3339(value)
        case date():
            return value.isoformat()
        case list() | tuple() if all(isinstance(item, str) for item in value):
            return "; ".join(value)
        case Mapping() | list() | tuple():
            return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain)
        case _:
            return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Model):
        return value.model_dump(mode="json")
    return rfc3339(value) if isinstance(value, datetime) else str(value)
