"""Generate ``common/entities.json`` from the entity declarations of every domain.

Declarations are the module-level ``Entity`` and ``Facts`` values of each ``entities.py`` in a domain's folder or below
it. Terraform reads the same file for indexes, TTL policies and table schemas.
Run as ``python -m triggers.entities [--check]``.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

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
        for rule in record["unique"]:
            rule["fields"] = [stored_name(entity.model, name) for name in rule["fields"]]
        record["table"] = None if entity.table is None else dataclasses.asdict(entity.table)
        for name in ("events", "impersonal", "kept"):
            record[name] = dict(record[name])
        records.append(record)
    measured = [dataclasses.asdict(value) for value in facts]
    return json.dumps({"entities": records, "facts": measured}, indent=2, sort_keys=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the file, or with ``--check`` tell whether it is fresh."""
    text = render(declared_entities(), declared_facts())
    if "--check" in arguments:
        fresh = ENTITIES_FILE.exists() and ENTITIES_FILE.read_text(encoding="utf-8") == text
        if not fresh:
            sys.stderr.write("common/entities.json is stale: run nox -s manifest\n")
        return 0 if fresh else 1
    ENTITIES_FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
