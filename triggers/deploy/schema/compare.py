"""What changed between two shapes, or between a declared and a deployed table, and whether stored data survives it.

The rules are document 000's: a new column is NULLABLE, nothing is removed, renamed, narrowed or turned to another type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triggers.deploy.schema.declared import Schema, Shape

BOUNDS = {
    "minimum": False, "exclusiveMinimum": False, "minLength": False, "minItems": False, "minProperties": False,
    "maximum": True, "exclusiveMaximum": True, "maxLength": True, "maxItems": True, "maxProperties": True,
}  # fmt: skip
"""Bound of a JSON Schema to whether a greater value admits more."""
TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "DECIMAL": "NUMERIC"}
"""Names that BigQuery answers with, as we write them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference.

    Attributes:
        entity: The entity or kind of fact; empty where the table belongs to none that is declared.
        part: Field, column, or word of the declaration that differs.
        what: The difference, for people.
        breaking: Whether stored data or running readers would not survive it.
        of_model: Whether a field of the document differs, and not a column.
        action: ``create``, ``add`` or ``relax`` where the warehouse has to follow; empty where it has not.
        table: The table that has to follow.
    """

    entity: str
    part: str
    what: str
    breaking: bool
    of_model: bool = False
    action: str = ""
    table: str = ""


def compare_shapes(before: Shape, after: Shape) -> list[Change]:
    """Return what changed between two versions of an entity."""
    return [*_fields(before, after), *_tables(before, after)]


def _fields(before: Shape, after: Shape) -> Iterator[Change]:
    def change(part: str, what: str, *, breaking: bool) -> Change:
        return Change(entity=after.name, part=part, what=what, breaking=breaking, of_model=True)

    gone = sorted(set(before.fields) - set(after.fields))
    new = sorted(set(after.fields) - set(before.fields))
    for name in gone:
        twins = [other for other in new if after.fields[other] == before.fields[name]]
        hint = f" (renamed to {twins[0]}?)" if twins else ""
        yield change(name, f"field {name} is gone{hint}: stored documents have it", breaking=True)
    for name in new:
        if name in after.required:
            yield change(
                name, f"field {name} is new and required: stored documents lack it; give a default", breaking=True
            )
        else:
            yield change(name, f"field {name} is new", breaking=False)
    for name in sorted(set(before.fields) & set(after.fields)):
        if name in after.required - before.required:
            yield change(name, f"field {name} is required now: stored documents may lack it", breaking=True)
        elif name in before.required - after.required:
            yield change(name, f"field {name} may be left out now", breaking=False)
        if before.fields[name] != after.fields[name]:
            wider = admits(after.fields[name], before.fields[name])
            told = "admits more" if wider else "does not admit every stored value"
            yield change(name, f"field {name} {told}", breaking=not wider)


def admits(after: Schema, before: Schema) -> bool:
    """Tell whether every value that fits ``before`` fits ``after``; False where that is not certain."""
    options = after.get("anyOf", [after])
    return all(any(_admits(new, old) for new in options) for old in before.get("anyOf", [before]))


def _admits(after: Schema, before: Schema) -> bool:
    if not after or after == before:
        return True
    if "enum" in after or "const" in after:
        values = after.get("enum", [after.get("const")])
        return all(value in values for value in before.get("enum", [before.get("const", values)]))
    kinds = (after.get("type"), before.get("type"))
    if kinds[0] != kinds[1] and kinds != ("number", "integer"):
        return False
    if set(before.get("properties", {})) - set(after.get("properties", {})) and "additionalProperties" not in after:
        return False  # nothing says that what is gone may stay
    return all(_word(word, after, before) for word in after if word != "type")


def _word(word: str, after: Schema, before: Schema) -> bool:
    """Tell whether one keyword of the new schema lets every old value pass."""
    new, old = after[word], before.get(word)
    if word in BOUNDS:
        return old is not None and (new >= old if BOUNDS[word] else new <= old)
    if word == "items":
        return admits(new, old or {})
    if word == "additionalProperties":
        return _others(new, after, before)
    if word == "properties":
        return all(admits(new[name], schema) for name, schema in _given(before, new).items())
    if word == "required":
        return set(new) <= set(old or ())
    return bool(new == old)


def _given(before: Schema, names: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return what stood under these names before: the property, or what every other property was."""
    known = before.get("properties", {})
    others = before.get("additionalProperties", True)
    found = {name: known[name] for name in names if name in known}
    if others is not False:
        found |= {name: {} if others is True else others for name in names if name not in known}
    return found


def _others(new: Schema | bool, after: Schema, before: Schema) -> bool:
    """Tell whether properties that the new schema does not name may be as they were."""
    if new is True:
        return True
    old = before.get("additionalProperties", True)
    if new is False:
        return old is False and set(before.get("properties", {})) <= set(after.get("properties", {}))
    named = [schema for name, schema in before.get("properties", {}).items() if name not in after.get("properties", {})]
    others = [] if old is False else [{} if old is True else old]
    return all(admits(new, schema) for schema in (*named, *others))


def _tables(before: Shape, after: Shape) -> Iterator[Change]:
    old, new = before.table, after.table
    if old is None:
        return
    if new is None:
        yield Change(entity=after.name, part="", what="the table is gone: its rows would be orphaned", breaking=True)
        return
    for word in ("dataset", "name", "key", "partition", "cluster", "immutable"):
        if old[word] != new[word]:
            what = f"{word} of table {old['name']} was {old[word]!r} and is {new[word]!r}: a table cannot change it"
            yield Change(entity=after.name, part=word, what=what, breaking=True)
    yield from compare_columns(after.name, str(new["name"]), _parsed(old["columns"]), _parsed(new["columns"]))


Column = tuple[str, str]
"""Type and mode."""


def _parsed(columns: Mapping[str, str]) -> dict[str, Column]:
    found = {}
    for name, text in columns.items():
        if text.startswith("ARRAY<"):
            found[name] = (text[6:].partition(">")[0], "REPEATED")
        else:
            found[name] = (text.removesuffix(" NOT NULL"), "REQUIRED" if text.endswith(" NOT NULL") else "NULLABLE")
    return found


def compare_columns(
    entity: str, table: str, before: Mapping[str, Column], after: Mapping[str, Column]
) -> Iterator[Change]:
    """Yield what changed about the columns of a table."""

    def change(name: str, what: str, *, breaking: bool, action: str = "") -> Change:
        return Change(entity=entity, part=name, what=what, breaking=breaking, action=action, table=table)

    gone, new = sorted(set(before) - set(after)), sorted(set(after) - set(before))
    for name in gone:
        twins = [other for other in new if after[other][0] == before[name][0]]
        hint = f" (renamed to {twins[0]}?)" if twins else ""
        yield change(name, f"column {table}.{name} is gone{hint}: rows have it", breaking=True)
    for name in new:
        if after[name][1] == "REQUIRED":
            what = f"column {table}.{name} is new and NOT NULL: rows lack it; declare it NULLABLE"
            yield change(name, what, breaking=True)
        else:
            yield change(name, f"column {table}.{name} is new", breaking=False, action="add")
    for name in sorted(set(before) & set(after)):
        (old_type, old_mode), (new_type, new_mode) = before[name], after[name]
        where = f"column {table}.{name}"
        if old_type != new_type or (old_mode == "REPEATED") != (new_mode == "REPEATED"):
            what = f"{where} is {old_type} {old_mode} and is declared {new_type} {new_mode}"
            yield change(name, what, breaking=True)
        elif (old_mode, new_mode) == ("NULLABLE", "REQUIRED"):
            yield change(name, f"{where} is NULLABLE and is declared NOT NULL: rows may lack it", breaking=True)
        elif old_mode != new_mode:
            yield change(name, f"{where} may be NULL now", breaking=False, action="relax")


def compare_deployed(
    entity: str, table: str, declared: Mapping[str, Any], deployed: Mapping[str, Any] | None
) -> list[Change]:
    """Return what differs between a declared relation and the table that is deployed.

    Args:
        entity: Whose table.
        table: Its name.
        declared: As in ``terraform/declarations.json``.
        deployed: The same of the deployed table; None where there is none.
    """
    if deployed is None:
        return [
            Change(entity=entity, part="", what=f"table {table} is new", breaking=False, action="create", table=table)
        ]
    found = [
        Change(
            entity=entity,
            part=word,
            what=f"{word} of table {table} is {deployed[word]!r} and is declared {declared[word]!r}",
            breaking=True,
        )
        for word in ("partition", "cluster")
        if (deployed[word] or None) != (declared[word] or None)
    ]
    columns = compare_columns(entity, table, _columns(deployed["schema"]), _columns(declared["schema"]))
    return [*found, *columns]


def _columns(schema: Sequence[Mapping[str, str]]) -> dict[str, Column]:
    return {column["name"]: (TYPES.get(column["type"], column["type"]), column["mode"]) for column in schema}
