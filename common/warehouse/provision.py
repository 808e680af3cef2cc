"""Make a tenant's data set, tables and views: idempotent, never destructive, columns only ever added.

What is there already is found by one listing. Every table and view carries the digest of its definition as a label, so
that whatever is as declared costs nothing more; the rest is made by a few requests at a time. Views are made as tables
are, by their definition: a statement would be a query job each, which takes ten times as long.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
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

AT_ONCE = 8
"""Requests under way at once; BigQuery allows a hundred a second for a user, and tenants may be made side by side."""

DEFINITION = "definition"
"""Label with the digest of what a table or view is declared to be."""

Labels = Mapping[str, str]


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
    project = context.clients.settings.project
    found, facts = tenant_relations(project, tenant_id).values(), tenant_facts(project, tenant_id).values()
    wanted = [relation for each in found for relation in (each.log, each.current) if relation is not None]
    wanted += [relation for each in facts for relation in (each.rows, each.batches)]
    views = [_View(each.log, each.view_name, each.entity.name, view_query(each)) for each in found]
    views += [_View(each.rows, each.view_name, each.facts.name, fact_view_query(each)) for each in facts]
    datasets = dict.fromkeys(relation.dataset for relation in wanted)
    for dataset in datasets:
        _ensure_dataset(context, dataset)
    there = dict(_there(context, datasets))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = pool.map(lambda relation: _ensure_table(context, relation, there.get(relation.id)), wanted)
        outcomes = dict(zip(wanted, made, strict=True))
        # Views name tables, so BigQuery takes them once all tables are there.
        list(pool.map(lambda view: _ensure_view(context, view, there.get(view.id)), views))
    return Provisioned(
        tables=tuple(relation.name for relation, (is_new, _) in outcomes.items() if is_new),
        columns=tuple(f"{relation.name}.{name}" for relation, (_, added) in outcomes.items() for name in added),
    )


@dataclass(frozen=True, slots=True)
class _View:
    """A read view: beside which table it is, its name, whose newest state it shows, and its text."""

    beside: Relation
    name: str
    shows: str
    query: str

    @property
    def id(self) -> str:
        return f"{self.beside.project}.{self.beside.dataset}.{self.name}"


def _there(context: Context, datasets: Iterable[str]) -> Iterator[tuple[str, Labels]]:
    """Yield the tables and views there are, by id, with their labels."""
    project = context.clients.settings.project
    for dataset in datasets:
        for item in _listed(context, f"{project}.{dataset}"):
            yield f"{project}.{dataset}.{item.table_id}", item.labels or {}


def _listed(context: Context, dataset: str) -> list[Any]:
    client = context.clients.get(bigquery_client)
    return calling(context, lambda: list(client.list_tables(dataset, page_size=1000, **_bounds(context))))


def _labels(context: Context, definition: str) -> dict[str, str]:
    return {"tenant": context.tenant_id, "managed-by": "xynergy", DEFINITION: definition}


def _digest(definition: object) -> str:
    """Return the digest of a definition; BigQuery's labels take 63 characters."""
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:40]


def _ensure_dataset(context: Context, dataset: str) -> None:
    client, settings = context.clients.get(bigquery_client), context.clients.settings
    wanted = bigquery.Dataset(f"{settings.project}.{dataset}")
    wanted.location = settings.region
    wanted.description = f"Analytical data of tenant {context.tenant_id}; made and kept by the platform."
    wanted.labels = {"tenant": context.tenant_id, "managed-by": "xynergy"}
    calling(context, lambda: client.create_dataset(wanted, exists_ok=True, **_bounds(context)))


def _bounds(context: Context) -> dict[str, Any]:
    return {"timeout": context.deadline.timeout(PATIENCE, DEPENDENCY), "retry": None}


def _ensure_table(context: Context, relation: Relation, labels: Labels | None) -> tuple[bool, tuple[str, ...]]:
    """Return whether the table was made, and the columns added to one that was there.

    Args:
        context: Circumstances.
        relation: The table.
        labels: Its labels; None where it was not among those listed.
    """
    client = context.clients.get(bigquery_client)
    definition = _digest(relation.resource())
    wanted = bigquery.Table.from_api_repr(relation.resource() | {"labels": _labels(context, definition)})
    if labels is None and _created(context, wanted):
        return True, ()
    if labels is not None and labels.get(DEFINITION) == definition:
        return False, ()
    table = calling(context, lambda: client.get_table(relation.id, **_bounds(context)))
    if table.labels.get(DEFINITION) == definition:
        return False, ()
    added = _add_columns(context, relation)
    labelled = bigquery.Table(relation.id)
    labelled.labels = _labels(context, definition)
    calling(context, lambda: client.update_table(labelled, ["labels"], **_bounds(context)))
    return False, added


def _created(context: Context, table: bigquery.Table) -> bool:
    """Create a table or view; False where there was one."""
    client = context.clients.get(bigquery_client)

    def create() -> bool:
        try:
            client.create_table(table, **_bounds(context))
        except exceptions.Conflict:
            return False
        return True

    return calling(context, create)


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


def _ensure_view(context: Context, view: _View, labels: Labels | None) -> None:
    """Make a view, or give it the text that is declared now."""
    definition = _digest(view.query)
    if labels is not None and labels.get(DEFINITION) == definition:
        return
    wanted = bigquery.Table(view.id)
    wanted.view_query = view.query
    wanted.description = f"The newest state of every {view.shows}, changes of the last seconds included."
    wanted.labels = _labels(context, definition)
    if labels is None and _created(context, wanted):
        return
    client = context.clients.get(bigquery_client)
    fields = ["view_query", "description", "labels"]
    calling(context, lambda: client.update_table(wanted, fields, **_bounds(context)))
