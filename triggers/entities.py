"""Generate ``common/entities.json`` and ``common/entity_classes.py`` from the entity declarations of every domain.

Declarations are the module-level ``Entity`` and ``Facts`` values of each ``entities.py`` in a domain's folder or below
it. Terraform reads the same file for indexes, TTL policies and table schemas.
Run as ``python -m triggers.entities [--check]``.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
import typing
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Any, Union

from pydantic import AwareDatetime, BaseModel

from common.documents import stored_name
from common.entity import Entity, Facts
from common.errors import DeclarationError
from common.registry import ENTITIES_FILE

COMMON = Path(__file__).parent.parent / "common"


def declared_entities() -> list[Entity[Any]]:
    """Import every ``entities.py`` in a domain's folder or below it and return its entities, sorted by name.

    Raises:
        DeclarationError: Two entities share a name or a collection.
    """
    found: dict[str, Entity[Any]] = {}
    places: set[tuple[str, str]] = set()
    for file, module in _modules():
        for value in vars(module).values():
            if not isinstance(value, Entity) or found.get(value.name) is value:
                continue
            place = (value.location, value.collection)
            if value.name in found or place in places:
                raise DeclarationError(str(file.relative_to(COMMON.parent)), 1, f"{value.name}: declared twice")
            found[value.name] = value
            places.add(place)
    return [found[name] for name in sorted(found)]


def declared_facts() -> list[Facts]:
    """Return the facts that every ``entities.py`` declares, sorted by name.

    Raises:
        DeclarationError: Two share a name, or a table with an entity or each other; or their table is not partitioned.
    """
    found: dict[str, Facts] = {}
    tables = {entity.table.name for entity in declared_entities() if entity.table is not None}
    for file, module in _modules():
        for value in vars(module).values():
            if not isinstance(value, Facts) or found.get(value.name) is value:
                continue
            where = str(file.relative_to(COMMON.parent))
            if value.name in found or value.table.name in tables:
                raise DeclarationError(where, 1, f"{value.name}: declared twice")
            if value.table.partition is None or not value.table.immutable:
                raise DeclarationError(where, 1, f"{value.name}: tables of facts are partitioned and immutable")
            found[value.name] = value
            tables.add(value.table.name)
    return [found[name] for name in sorted(found)]


def _modules() -> Iterator[tuple[Path, ModuleType]]:
    for file in sorted(COMMON.rglob("entities.py")):
        package = ".".join(file.parent.relative_to(COMMON.parent).parts)
        yield file, importlib.import_module(f"{package}.entities")


def render(entities: list[Entity[Any]], facts: list[Facts]) -> str:
    """Return the file's text: sorted, indented, with a final newline."""
    records = []
    for entity in entities:
        record = {
            field.name: getattr(entity, field.name)
            for field in dataclasses.fields(entity)
            if field.name not in {"model", "writable", "readers"}
        }
        for name in ("unique", "indexes", "caches", "personal"):
            record[name] = [dataclasses.asdict(value) for value in record[name]]
        for each in record["personal"]:
            each.update(shape_of(annotation_of(entity.model, each["field"])))
        for rule in record["unique"]:
            rule["fields"] = [stored_name(entity.model, name) for name in rule["fields"]]
        record["table"] = None if entity.table is None else dataclasses.asdict(entity.table)
        record["aged_by_day"] = entity.aged_by is not None and _is_day(annotation_of(entity.model, entity.aged_by))
        for name in ("events", "impersonal", "kept"):
            record[name] = dict(record[name])
        records.append(record)
    measured = [dataclasses.asdict(value) for value in facts]
    for facts_record in measured:
        for each in facts_record["personal"]:
            each.update(_column_shape(facts_record["table"]["columns"][each["field"]]))
    return json.dumps({"entities": records, "facts": measured}, indent=2, sort_keys=False) + "\n"


def annotation_of(model: type[BaseModel], path: str) -> Any:
    """Return the annotation of a field, given by its stored name; a dotted path leads into the models within.

    Raises:
        ValueError: There is no such field.
    """
    name, _, rest = path.partition(".")
    found = next((field for key, field in model.model_fields.items() if name == (field.alias or key)), None)
    if found is None:
        raise ValueError(f"{model.__name__} has no field {name!r}")
    if not rest:
        return found.annotation
    for kind in (found.annotation, *typing.get_args(found.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return annotation_of(kind, rest)
    raise ValueError(f"{model.__name__}.{name} is no model: {path!r} leads nowhere")


def shape_of(annotation: Any) -> dict[str, Any]:
    """Return whether a field is a list, and what stands for "nothing" in it."""
    members = typing.get_args(annotation) if typing.get_origin(annotation) in {Union, UnionType} else (annotation,)
    kinds = {_plain(member) for member in members}
    repeated = not kinds.isdisjoint({list, tuple, set, frozenset})
    if repeated:
        return {"repeated": True, "emptied": []}
    if NoneType in kinds:
        return {"repeated": False, "emptied": None}
    return {"repeated": False, "emptied": {} if dict in kinds else ""}


def _is_day(annotation: Any) -> bool:
    """Tell whether a field is a calendar day, which is stored as text, and not a time."""
    inner = typing.get_args(annotation)
    if inner:
        return all(_is_day(each) for each in inner)
    return annotation is not AwareDatetime and not (isinstance(annotation, type) and issubclass(annotation, datetime))


def _column_shape(kind: str) -> dict[str, Any]:
    if kind.startswith("ARRAY"):
        return {"repeated": True, "emptied": []}
    return {"repeated": False, "emptied": "" if "NOT NULL" in kind else None}


def _plain(annotation: Any) -> Any:
    """Return the class behind an annotation."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _plain(typing.get_args(annotation)[0])
    return typing.get_origin(annotation) or annotation


CLASSES_FILE = COMMON / "entity_classes.py"
CLASSES_HEADER = '''\
"""The declarations of entities by name, each loaded when it is asked for.

Generated by ``python -m triggers.entities``: do not edit. Almost everything that serves every domain does with the
records of ``common.registry``. Setting a recorded change back needs the model as well, whose rules the old values have
to obey; this is the one place where a mechanism reaches the models of other domains, and the contracts of the imports
name who may. The imports stand in functions, so that a process loads the one entity it works on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from common.entity import Entity

'''


def render_classes() -> str:
    """Return the text of ``common/entity_classes.py``."""
    places: dict[str, tuple[str, str]] = {}
    for _, module in _modules():
        for name, value in vars(module).items():
            if isinstance(value, Entity):
                places.setdefault(value.name, (module.__name__, name))
    loaders = [
        f"def _{name}() -> Entity[Any]:\n    from {places[name][0]} import {places[name][1]}\n\n"
        f"    return {places[name][1]}\n"
        for name in sorted(places)
    ]
    table = "".join(f'    "{name}": _{name},\n' for name in sorted(places))
    typed = f"LOADERS: Mapping[str, Callable[[], Entity[Any]]] = {{\n{table}}}\n"
    return "\n\n".join([CLASSES_HEADER.rstrip() + "\n", *loaders, typed])


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` tell whether they are fresh."""
    classes = render_classes()
    text = render(declared_entities(), declared_facts())
    if "--check" in arguments:
        stale = [
            file.name
            for file, wanted in ((ENTITIES_FILE, text), (CLASSES_FILE, classes))
            if not file.exists() or file.read_text(encoding="utf-8") != wanted
        ]
        for name in stale:
            sys.stderr.write(f"common/{name} is stale: run nox -s manifest\n")
        return 1 if stale else 0
    ENTITIES_FILE.write_text(text, encoding="utf-8")
    CLASSES_FILE.write_text(classes, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
