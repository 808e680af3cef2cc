"""Make a tenant's data set, tables and views: idempotent, never destructive, columns only ever added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.api_core import exceptions
from google.cloud import bigquery

from common.clients.bigquery import bigquery_client
from common.context import Context
from common.warehouse.calls import DEPENDENCY, calling
from common.warehouse.fact_tables import fact_view_query, tenant_facts
from common.warehouse.query import run
from common.warehouse.tables import Column, Relation, tenant_relations, view_query

PATIENCE = 20.0
"""Seconds for one request about a table's definition."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provisioned:
    """What provisioning a tenant changed; all empty when everything was there.

    Attributes:
        tables: Tables made, by name.
        columns: Columns added to tables that were there, as ``table.column``.
    """

    tables: tuple[str, ...]
    columns: tuple[str, ...]


def provision_tenant(context: Context, tenant_id: str) -> Provisioned:
    """Make what a tenant's data needs in the warehouse; run again after every change of a declaration.

    Columns that a declaration gained are added as NULLABLE (document 000, schema evolution, step 1). Nothing is ever
    dropped or narrowed.

    Raises:
        Unavailable: BigQuery does not answer; run it again.
    """
    context = context.for_tenant(tenant_id)
    tables: list[str] = []
    columns: list[str] = []
    project = context.clients.settings.project
    found, facts = tenant_relations(project, tenant_id).values(), tenant_facts(project, tenant_id).values()
    wanted = [relation for each in found for relation in (each.log, each.current) if relation is not None]
    wanted += [relation for each in facts for relation in (each.rows, each.batches)]
    for dataset in dict.fromkeys(relation.dataset for relation in wanted):
        _ensure_dataset(context, dataset)
    for relation in wanted:
        made, added = _ensure_table(context, relation)
        tables.extend([relation.name] if made else [])
        columns.extend(f"{relation.name}.{name}" for name in added)
    for each in found:
        _ensure_view(context, each.view, each.entity.name, view_query(each))
    for measured in facts:
        _ensure_view(context, measured.view, measured.facts.name, fact_view_query(measured))
    return Provisioned(tables=tuple(tables), columns=tuple(columns))


def _ensure_dataset(context: Context, dataset: str) -> None:
    client, settings = context.clients.get(bigquery_client), context.clients.settings
    wanted = bigquery.Dataset(f"{settings.project}.{dataset}")
    wanted.location = settings.region
    wanted.description = f"Analytical data of tenant {context.tenant_id}; made and kept by the platform."
    wanted.labels = {"tenant": context.tenant_id, "managed-by": "xynergy"}
    calling(context, lambda: client.create_dataset(wanted, exists_ok=True, **_bounds(context)))


def _bounds(context: Context) -> dict[str, Any]:
    return {"timeout": context.deadline.timeout(PATIENCE, DEPENDENCY), "retry": None}


def _ensure_table(context: Context, relation: Relation) -> tuple[bool, tuple[str, ...]]:
    """Return whether the table was made, and the columns added to one that was there."""
    client = context.clients.get(bigquery_client)
    resource = relation.resource() | {"labels": {"tenant": context.tenant_id, "managed-by": "xynergy"}}

    def create() -> bool:
        try:
            client.create_table(bigquery.Table.from_api_repr(resource), **_bounds(context))
        except exceptions.Conflict:
            return False
        return True

    if calling(context, create):
        return True, ()
    return False, _add_columns(context, relation)


def _add_columns(context: Context, relation: Relation) -> tuple[str, ...]:
    missing = _missing(context, relation)
    for column in missing:
        kind = f"ARRAY<{column.type}>" if column.mode == "REPEATED" else column.type
        run(context, f"ALTER TABLE {relation.sql} ADD COLUMN IF NOT EXISTS {column.name} {kind}", {})
    _describe(context, relation, _missing(context, relation) if missing else ())
    return tuple(column.name for column in missing)


def _missing(context: Context, relation: Relation) -> tuple[Column, ...]:
    client = context.clients.get(bigquery_client)
    table = calling(context, lambda: client.get_table(relation.id, **_bounds(context)))
    there = {field.name for field in table.schema}
    return tuple(column for column in relation.columns if column.name not in there)


def _describe(context: Context, relation: Relation, columns: tuple[Column, ...]) -> None:
    """Make the definition name columns that the statement has added already.

    BigQuery's definition names them at once, so ``columns`` is empty; the emulator of the local cloud needs telling.
    """
    if not columns:
        return
    client = context.clients.get(bigquery_client)
    table = calling(context, lambda: client.get_table(relation.id, **_bounds(context)))
    added: list[Mapping[str, str]] = [
        column.resource() | ({} if column.mode == "REPEATED" else {"mode": "NULLABLE"}) for column in columns
    ]
    table.schema = [*table.schema, *(bigquery.SchemaField.from_api_repr(dict(field)) for field in added)]
    calling(context, lambda: client.update_table(table, ["schema"], **_bounds(context)))


def _ensure_view(context: Context, view: str, name: str, definition: str) -> None:
    description = f"The newest state of every {name}, changes of the last seconds included."
    run(context, f'CREATE OR REPLACE VIEW {view} OPTIONS (description = "{description}") AS\n{definition}', {})
