"""The residue search in BigQuery: every text of every table of the tenant, whether it is declared or not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from google.api_core import exceptions

from common.clients.bigquery import bigquery_client
from common.platform.privacy.needles import SHORTEST, Form, Needles
from common.platform.privacy.stores.port import Walk
from common.registry import entities, facts
from common.warehouse.calls import DEPENDENCY, calling
from common.warehouse.query import run
from common.warehouse.tables import dataset_id, identifier

PATIENCE = 120.0
TEXTS = frozenset({"STRING", "JSON"})
BOUNDS = {"TIMESTAMP": datetime(1970, 1, 1, tzinfo=UTC), "DATE": date(1970, 1, 1)}


def searched_tables(walk: Walk, needles: Needles) -> Iterator[tuple[str, set[tuple[str, Form]]]]:
    """Yield each column with something of the person in it, as ``table.column``, and what it is.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    for dataset in _datasets(walk):
        for table in _tables(walk, dataset):
            for column, counted in _counted(walk, table, needles).items():
                if counted:
                    yield f"{table.table_id}.{column}", counted
            walk.alive()


def _datasets(walk: Walk) -> list[str]:
    declared = [each.table for each in entities().values() if each.table is not None]
    declared += [each.table for each in facts().values()]
    tenant_id = walk.context.tenant_id
    return sorted({dataset_id(table, tenant_id) for table in declared if "{tenant_id}" in table.dataset})


def _tables(walk: Walk, dataset: str) -> list[Any]:
    """Return the tables of a data set, views left out; none where the tenant has no data set yet."""
    client = walk.context.clients.get(bigquery_client)

    def listed() -> list[Any]:
        left = walk.context.deadline.timeout(PATIENCE, DEPENDENCY)
        try:
            names = list(client.list_tables(dataset, timeout=left, retry=None))
        except exceptions.NotFound:
            return []
        return [client.get_table(each, timeout=left, retry=None) for each in names if each.table_type == "TABLE"]

    return calling(walk.context, listed)


def _counted(walk: Walk, table: Any, needles: Needles) -> dict[str, set[tuple[str, Form]]]:
    """Return what of the person is in each column of a table, asked with one query that reads it once."""
    columns = [field for field in table.schema if field.field_type in TEXTS]
    texts = {each.text: (each.kind, each.form) for each in needles.needles if len(each.text) >= SHORTEST}
    if not columns or not texts:
        return {}
    terms, named = [], {}
    parameters: dict[str, object] = {}
    for number, what in enumerate(sorted(set(texts.values()))):
        mine = sorted(text for text, each in texts.items() if each == what)
        parameters[f"pattern{number}"] = "|".join(re.escape(text) for text in mine)
        for place, field in enumerate(columns):
            alias = f"found_{place}_{number}"
            named[alias] = (field.name, what)
            terms.append(f"COUNTIF({_holds(field, f'pattern{number}')}) AS {alias}")
    where = ""
    partition = table.time_partitioning
    if partition is not None and partition.field:
        kind = next(field.field_type for field in table.schema if field.name == partition.field)
        where = f" WHERE {identifier(partition.field)} >= @since OR {identifier(partition.field)} IS NULL"
        parameters["since"] = BOUNDS[kind]
    name = ".".join((table.project, identifier(table.dataset_id), identifier(table.table_id)))
    sql = f"SELECT {', '.join(terms)} FROM `{name}`{where}"  # noqa: S608 - identifiers are validated
    rows = run(walk.context, sql, parameters, timeout=PATIENCE).rows
    found: dict[str, set[tuple[str, Form]]] = {}
    for alias, (column, what) in named.items():
        if rows and rows[0][alias]:
            found.setdefault(column, set()).add(what)
    return found


def _holds(field: Any, parameter: str) -> str:
    """Return the condition that a column has one of the texts in it."""
    name = identifier(field.name)
    if field.mode == "REPEATED":
        held = "TO_JSON_STRING(held)" if field.field_type == "JSON" else "held"
        return f"EXISTS (SELECT 1 FROM UNNEST({name}) AS held WHERE REGEXP_CONTAINS(LOWER({held}), @{parameter}))"  # noqa: S608 - as below
    text = f"TO_JSON_STRING({name})" if field.field_type == "JSON" else name
    return f"REGEXP_CONTAINS(LOWER({text}), @{parameter})"
