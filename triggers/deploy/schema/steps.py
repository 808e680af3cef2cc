"""The four steps of a change of schema (document 000): what is to be done for each entity, and doing what is safe.

1. add the column as NULLABLE, for every tenant; 2. deploy the functions that write it; 3. back-fill what was there;
4. switch the readers. A column stays NULLABLE in BigQuery, which cannot make one NOT NULL; the model asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.cloud import bigquery

from common.clients.bigquery import bigquery_client
from common.context import Context
from common.warehouse import backfill
from common.warehouse.backfill import BackfillAnswer, BackfillRequest
from common.warehouse.calls import calling
from common.warehouse.provision import provision_tenant
from common.warehouse.query import run
from common.warehouse.tables import Relation, identifier
from triggers.closure import Modules
from triggers.deploy.schema.compare import Change
from triggers.deploy.schema.declared import place_of, shapes
from triggers.deploy.schema.deployed import PATIENCE, tables_of
from triggers.manifest import ROOT, Entry, load_manifest

WRITES = {False: "firestore:write", True: "bigquery:write"}
"""What whoever writes a document or a fact needs."""
ENTITIES = "common/entities.json"
"""What the mechanisms that serve every entity read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """What one entity needs.

    Attributes:
        entity: The entity or kind of fact.
        changes: What differs, all of it safe.
        writers: Functions that write it.
        readers: Functions that only read it.
        backfills: Whether documents are there to fill new columns from.
        schema_version: The declared version.
    """

    entity: str
    changes: tuple[Change, ...]
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    backfills: bool
    schema_version: int

    def lines(self, tenants: Sequence[str]) -> Iterator[str]:
        """Yield the steps for people."""
        whose = ", ".join(tenants[:5]) + (f" and {len(tenants) - 5} more" if len(tenants) > 5 else "")
        yield f"{self.entity} (schema_version {self.schema_version}), for {whose or 'every tenant'}:"
        yield from (f"     {change.what}" for change in self.changes)
        yield "  1. nox -s schema -- apply: " + "; ".join(
            _statement(change) for change in self.changes if change.action
        )
        yield f"  2. nox -s deploy: the writers {_named(self.writers)}"
        if self.backfills:
            yield "  3. nox -s schema -- apply --backfill: a job for each tenant, at a cost stated before"
        else:
            yield "  3. nothing to back-fill: facts come from imports; import again what shall have the new columns"
        yield f"  4. switch the readers {_named(self.readers)}; new columns stay NULLABLE in BigQuery"


def _named(names: Sequence[str]) -> str:
    return ", ".join(names) or "(none)"


def _statement(change: Change) -> str:
    return {
        "create": f"create table {change.table}",
        "add": f"add {change.table}.{change.part} as NULLABLE",
        "relax": f"drop NOT NULL of {change.table}.{change.part}",
    }[change.action]


def migrations(changes: Sequence[Change], versions: Mapping[str, int], facts: frozenset[str]) -> list[Migration]:
    """Return what each entity with safe changes needs, by name."""
    touching = functions_with({change.entity for change in changes}, facts)
    found: dict[str, list[Change]] = {}
    for change in changes:
        known = found.setdefault(change.entity, [])
        known += [change] if change not in known else []
    return [
        Migration(
            entity=name,
            changes=tuple(found[name]),
            writers=tuple(writer for writer, writes in touching[name] if writes),
            readers=tuple(reader for reader, writes in touching[name] if not writes),
            backfills=name not in facts,
            schema_version=versions[name],
        )
        for name in sorted(found)
    ]


def functions_with(names: set[str], facts: frozenset[str]) -> dict[str, list[tuple[str, bool]]]:
    """Return the functions that know each entity, and whether they may write it.

    A function knows an entity if its bundle holds the declaration, or a query of its tables; the synchronisation knows
    every entity, by ``common/entities.json``.
    """
    modules, entries, declared = Modules(ROOT), load_manifest(), shapes()
    held: dict[str, list[tuple[str, bool]]] = {name: [] for name in names}
    for entry in entries if names else ():
        files = modules.closure(entry["module"]).files
        text = b"".join(content for file, content in files.items() if file.endswith(".py"))
        for name in names:
            table = (declared[name].table or {"name": ""})["name"]
            writes = _writes(entry, name in facts)
            asks = bool(table) and re.search(rb"\{%b(_latest|_changes)?\}" % table.encode(), text) is not None
            if place_of(name).file in files or asks:
                held[name].append((entry["name"], writes))
            elif table and ENTITIES in files and WRITES[True] in entry["needs"]:
                held[name].append((entry["name"], True))
    return held


def _writes(entry: Entry, fact: bool) -> bool:
    only_repeats = entry["kind"] == "http" and entry["method"] == "GET"
    return WRITES[fact] in entry["needs"] and not only_repeats


def perform(context: Context, tenant_id: str, changes: Sequence[Change]) -> list[str]:
    """Do step 1 for a tenant: make tables, add columns, drop NOT NULL. Repeating it changes nothing.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    own = context.for_tenant(tenant_id)
    done = []
    tables = tables_of(context.clients.settings.project, tenant_id)
    for change in changes:
        if change.action == "relax":
            _relax(own, tables[change.table][1], change.part)
            done.append(f"dropped NOT NULL of {change.table}.{change.part}")
    made = provision_tenant(own, tenant_id)
    return [*done, *(f"made {name}" for name in made.tables), *(f"added {name}" for name in made.columns)]


def _relax(context: Context, relation: Relation, column: str) -> None:
    run(context, f"ALTER TABLE {relation.sql} ALTER COLUMN {identifier(column)} DROP NOT NULL", {})
    client = context.clients.get(bigquery_client)
    table = calling(context, lambda: client.get_table(relation.id, timeout=PATIENCE, retry=None))
    fields = [field.to_api_repr() for field in table.schema]
    if not any(field["name"] == column and field["mode"] == "REQUIRED" for field in fields):
        return  # BigQuery's definition follows the statement at once; the emulator's needs telling
    loosened = [field | ({"mode": "NULLABLE"} if field["name"] == column else {}) for field in fields]
    table.schema = [bigquery.SchemaField.from_api_repr(field) for field in loosened]
    calling(context, lambda: client.update_table(table, ["schema"], timeout=PATIENCE, retry=None))


def fill(context: Context, tenant_id: str, entity: str, *, dry_run: bool) -> BackfillAnswer:
    """Do step 3 for a tenant and an entity: state what a backfill costs and, unless it is a dry run, start the job.

    Raises:
        NotFound: ``tenant_not_found``.
        Unavailable: Firestore does not answer.
    """
    asked = BackfillRequest(tenant_id=tenant_id, entity=entity, dry_run=dry_run)
    return backfill.request(context, asked).content
