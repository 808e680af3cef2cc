"""The tables that are deployed: asked of BigQuery, or read from a snapshot that was taken of them."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.clients.bigquery import bigquery_client
from common.context import Context
from common.errors import DeclarationError
from common.warehouse.calls import NotProvisioned, calling
from common.warehouse.fact_tables import tenant_facts
from common.warehouse.tables import Relation, tenant_relations
from triggers.deploy.schema.compare import TYPES, Change, compare_deployed

PATIENCE = 20.0
"""Seconds for one request about a table."""

Deployed = Mapping[str, Mapping[str, Any] | None]
"""Table name to its schema, partition and clustering; None for a table that is not there."""


def tables_of(project: str, tenant_id: str) -> dict[str, tuple[str, Relation]]:
    """Return the tables of a tenant by name, each with the entity or kind of fact it belongs to."""
    found: dict[str, tuple[str, Relation]] = {}
    for name, made in tenant_relations(project, tenant_id).items():
        found |= {relation.name: (name, relation) for relation in (made.log, made.current) if relation is not None}
    for name, measured in tenant_facts(project, tenant_id).items():
        found |= {relation.name: (name, relation) for relation in (measured.rows, measured.batches)}
    return dict(sorted(found.items()))


def deployed(context: Context, tenant_id: str) -> dict[str, Mapping[str, Any] | None]:
    """Ask BigQuery for the tables of a tenant.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    client = context.clients.get(bigquery_client)
    found: dict[str, Mapping[str, Any] | None] = {}
    for name, (_, relation) in tables_of(context.clients.settings.project, tenant_id).items():
        get = functools.partial(client.get_table, relation.id, timeout=PATIENCE, retry=None)
        try:
            table = calling(context, get)
        except NotProvisioned:
            found[name] = None
            continue
        partition = table.time_partitioning
        found[name] = {
            "schema": [
                {"name": field.name, "type": TYPES.get(field.field_type, field.field_type), "mode": field.mode}
                for field in table.schema
            ],
            "partition": partition.field if partition else None,
            "cluster": list(table.clustering_fields or ()),
        }
    return found


def declared(relation: Relation) -> dict[str, Any]:
    """Return a declared table in the form of a deployed one."""
    return {
        "schema": [column.resource() for column in relation.columns],
        "partition": relation.partition,
        "cluster": list(relation.cluster),
    }


def changes(project: str, tenant_id: str, found: Deployed) -> list[Change]:
    """Return what differs between a tenant's declared and deployed tables."""
    wanted = tables_of(project, tenant_id)
    made: list[Change] = []
    for name, (entity, relation) in wanted.items():
        made += compare_deployed(entity, name, declared(relation), found.get(name))
    return made


def write_snapshot(file: Path, tenant_id: str, found: Deployed) -> None:
    """Write the deployed tables, to compare with where BigQuery is out of reach."""
    file.write_text(json.dumps({"tenant_id": tenant_id, "tables": found}, indent=1) + "\n", encoding="utf-8")


def read_snapshot(file: Path) -> tuple[str, Deployed]:
    """Return a snapshot's tenant and tables.

    Raises:
        DeclarationError: The file is no snapshot; names the line.
    """
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        tables: Deployed = record["tables"]
        for table in filter(None, tables.values()):
            _ = table["schema"], table["partition"], table["cluster"]
        return str(record["tenant_id"]), tables
    except OSError as error:
        raise DeclarationError(str(file), 1, f"the snapshot cannot be read: {error.strerror}") from error
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise DeclarationError(str(file), line, f"this is no snapshot of tables ({error})") from error
