"""Generate what Terraform needs of the declarations and cannot read from a JSON file that functions carry.

``terraform/declarations.json`` holds the collections of technical documents (``common.technical``) and the warehouse's
tables and views (``common.warehouse.tables``); ``terraform/firestore.rules`` comes from ``triggers.rules`` and
``terraform/schemas.json``, the schemas by version, from ``triggers.deploy.schema``. They are no
part of ``common/entities.json`` because every bundle contains that file: an index would redeploy every function.
Run as ``python -m triggers.cloud [--check]``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from common.errors import DeclarationError
from common.registry import entities, facts
from common.technical import COLLECTIONS, TechnicalCollection
from common.warehouse.fact_tables import fact_relations, fact_view_query
from common.warehouse.tables import Relation, relations, view_query
from triggers.deploy.schema import baseline
from triggers.deploy.schema.declared import shapes
from triggers.entities import declared_entities
from triggers.rules import render as render_rules

TERRAFORM = Path(__file__).parent.parent / "terraform"
DECLARATIONS = TERRAFORM / "declarations.json"
RULES = TERRAFORM / "firestore.rules"
SCHEMAS = baseline.BASELINE_FILE

PROJECT = "placeholder-project"
TENANT = "placeholder_tenant"
"""Stand-ins that names are made with, and then replaced by ``{project_id}`` and ``{tenant_id}``."""


def technical(collections: Iterable[TechnicalCollection]) -> list[dict[str, Any]]:
    """Return the technical collections by collection id, to which Firestore's settings belong.

    Two collections of one id share indexes, exemptions and TTL fields.
    """
    found: dict[str, dict[str, Any]] = {}
    for collection in collections:
        name = collection.path.rpartition("/")[2]
        settings = found.setdefault(name, {"collection": name, "indexes": [], "ttl": [], "unindexed": []})
        settings["indexes"] += [list(index.fields) for index in collection.indexes]
        settings["unindexed"] += collection.unindexed
        settings["ttl"] += [collection.ttl] if collection.ttl else []
    for settings in found.values():
        settings["ttl"] = sorted(set(settings["ttl"]))
        settings["unindexed"] = sorted(set(settings["unindexed"]))
    return [found[name] for name in sorted(found)]


def warehouse() -> dict[str, dict[str, Any]]:
    """Return every table and view of the warehouse by name."""
    found: dict[str, dict[str, Any]] = {}
    for entity in entities().values():
        if entity.table is None:
            continue
        made = relations(PROJECT, TENANT, entity)
        for relation in filter(None, (made.log, made.current)):
            found[relation.name] = _table(made.table.dataset, relation)
        found[made.view_name] = _view(made.table.dataset, made.entity.name, view_query(made))
    for measured in facts().values():
        held = fact_relations(PROJECT, TENANT, measured)
        for relation in (held.rows, held.batches):
            found[relation.name] = _table(measured.table.dataset, relation)
        found[held.view_name] = _view(measured.table.dataset, measured.name, fact_view_query(held))
    return dict(sorted(found.items()))


def _table(dataset: str, relation: Relation) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "description": relation.description,
        "schema": [column.resource() for column in relation.columns],
        "partition": relation.partition,
        "expires_after": relation.expires_after,
        "cluster": list(relation.cluster),
        "query": None,
    }


def _view(dataset: str, name: str, query: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "description": f"The newest state of every {name}, changes of the last seconds included.",
        "schema": [],
        "partition": None,
        "expires_after": None,
        "cluster": [],
        "query": query.replace(PROJECT, "{project_id}").replace(TENANT, "{tenant_id}"),
    }


def generated() -> dict[Path, str]:
    """Return the text of every generated file."""
    declarations = {"technical": technical(COLLECTIONS), "warehouse": warehouse()}
    schemas = baseline.renewed(baseline.load_baseline(SCHEMAS), shapes())
    return {
        DECLARATIONS: json.dumps(declarations, indent=2) + "\n",
        RULES: render_rules(declared_entities()),
        SCHEMAS: baseline.render(schemas),
    }


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` tell whether they are fresh."""
    fresh = True
    try:
        files = generated()
    except DeclarationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for file, text in files.items():
        if "--check" not in arguments:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"terraform/{file.name} is stale: run nox -s manifest\n")
            fresh = False
    return 0 if fresh else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
