"""What the declarations say now: the shape of every entity and kind of fact, and the line that says so.

A shape is what a stored document or row has to look like, without words that change nothing stored: descriptions,
examples and defaults are left out.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from common.entity import Entity, Facts, Table
from common.errors import DeclarationError
from triggers.entities import declared_entities, declared_facts
from triggers.manifest import ROOT

WORDS = frozenset({"title", "description", "examples", "default"})
"""Parts of a JSON Schema that change nothing stored."""

Schema = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What is stored of one entity or kind of fact.

    Attributes:
        name: Its name.
        schema_version: The declared version.
        fields: Field of the document to its JSON Schema.
        required: Fields that a document must have to be read.
        table: The declared table; None where the warehouse knows nothing of it.
    """

    name: str
    schema_version: int
    fields: Mapping[str, Schema]
    required: frozenset[str]
    table: Mapping[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """Return the shape as JSON values; the version is not part of it."""
        return {"fields": dict(self.fields), "required": sorted(self.required), "table": self.table}

    @classmethod
    def from_json(cls, name: str, version: int, record: Mapping[str, Any]) -> Shape:
        """Return a recorded shape."""
        return cls(
            name=name,
            schema_version=version,
            fields=record["fields"],
            required=frozenset(record["required"]),
            table=record["table"],
        )


def shapes() -> dict[str, Shape]:
    """Return the shape of everything that is declared, by name."""
    found = {entity.name: shape_of(entity) for entity in declared_entities()}
    return dict(sorted((found | {facts.name: shape_of(facts) for facts in declared_facts()}).items()))


def shape_of(declaration: Entity[Any] | Facts) -> Shape:
    """Return the shape of one declaration."""
    fields, required = model_shape(declaration.model) if isinstance(declaration, Entity) else ({}, frozenset[str]())
    return Shape(
        name=declaration.name,
        schema_version=declaration.schema_version,
        fields=fields,
        required=required,
        table=_table(declaration.table),
    )


def _table(table: Table | None) -> dict[str, Any] | None:
    if table is None:
        return None
    record = dataclasses.asdict(table)
    return {**record, "columns": dict(record["columns"]), "cluster": list(record["cluster"])}


def model_shape(model: type[BaseModel]) -> tuple[dict[str, Schema], frozenset[str]]:
    """Return a model's fields by stored name, each with its JSON Schema written out, and those that are required."""
    whole = model.model_json_schema(mode="validation", by_alias=True)
    definitions = whole.get("$defs", {})
    fields = {name: _plain(schema, definitions) for name, schema in whole.get("properties", {}).items()}
    return dict(sorted(fields.items())), frozenset(whole.get("required", ()))


def _plain(schema: Any, definitions: Mapping[str, Any], within: tuple[str, ...] = ()) -> Any:
    """Return a schema without words and references; a type within itself is named only."""
    if isinstance(schema, list):
        return [_plain(item, definitions, within) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return {"within": name} if name in within else _plain(definitions[name], definitions, (*within, name))
    plain: dict[str, Any] = {}
    for key, value in sorted(schema.items()):
        if key == "properties":
            plain[key] = {name: _plain(item, definitions, within) for name, item in sorted(value.items())}
        elif key not in WORDS:
            plain[key] = sorted(value) if key == "required" else _plain(value, definitions, within)
    return plain


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where something is declared.

    Attributes:
        file: Path relative to the repository.
        line: Line.
        last: Last line of the declaration.
    """

    file: str
    line: int
    last: int

    def refuse(self, detail: str) -> DeclarationError:
        """Return the error that points here."""
        return DeclarationError(self.file, self.line, detail)


@functools.cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _calls(root: Path) -> Iterator[tuple[Path, ast.Call]]:
    for file in sorted((root / "common").rglob("entities.py")):
        for node in ast.walk(_tree(file)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"Entity", "Facts"}:
                yield file, node


def _declaration(name: str, root: Path) -> tuple[Path, ast.Call]:
    for file, call in _calls(root):
        if any(word.arg == "name" and _literal(word.value) == name for word in call.keywords):
            return file, call
    raise DeclarationError("common", 1, f"no entities.py declares {name}")


def _literal(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def place_of(name: str, part: str = "", root: Path = ROOT) -> Place:
    """Return where an entity is declared, or as near as can be to a part of it.

    Args:
        name: The entity or kind of fact.
        part: A column or a word of the declaration (``schema_version``, ``cluster``); empty for the whole.
        root: The repository.

    Raises:
        DeclarationError: Nothing of that name is declared.
    """
    file, call = _declaration(name, root)
    relative = file.relative_to(root).as_posix()
    for node in ast.walk(call):
        if isinstance(node, ast.keyword) and node.arg == part:
            return Place(file=relative, line=node.value.lineno, last=node.value.end_lineno or node.value.lineno)
        if isinstance(node, ast.Dict):
            for key in node.keys:
                if key is not None and part and _literal(key) == part:
                    return Place(file=relative, line=key.lineno, last=key.lineno)
    return Place(file=relative, line=call.lineno, last=call.end_lineno or call.lineno)


def place_of_field(name: str, field: str, root: Path = ROOT) -> Place:
    """Return where a field of an entity's model is declared; where the entity is, if the field is gone."""
    model = next((entity.model for entity in declared_entities() if entity.name == name), None)
    for owner in model.__mro__ if model is not None else ():
        source = inspect.getsourcefile(owner) if issubclass(owner, BaseModel) else None
        if source is None or not Path(source).is_relative_to(root):
            continue
        for node in ast.walk(_tree(Path(source))):
            if not isinstance(node, ast.ClassDef) or node.name != owner.__name__:
                continue
            for line in node.body:
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.target.id == field:
                    relative = Path(source).relative_to(root).as_posix()
                    return Place(file=relative, line=line.lineno, last=line.end_lineno or line.lineno)
    return place_of(name, field, root)
