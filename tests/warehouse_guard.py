"""What BigQuery would refuse and its emulator takes: refused here, for every statement and row of the tests.

The emulator takes unknown and missing fields, ignores ``maximum_bytes_billed``, never counts bytes, and answers some
functions wrongly without saying so. ``guarded`` wraps a client so that tests meet the rules of BigQuery.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlglot
from google.cloud import bigquery
from sqlglot import exp

from common.registry import entities, facts
from common.warehouse.fact_tables import tenant_facts
from common.warehouse.tables import Relation, relations

PROBE_TENANT = "guard"
SIZES: Mapping[str, int] = {"INT64": 8, "FLOAT64": 8, "BOOL": 1, "TIMESTAMP": 8, "DATE": 8, "NUMERIC": 16}
"""Bytes a value is billed for; texts are guessed."""
GUESSED_TEXT = 32
SILENTLY_WRONG = {
    r"\bDATE_TRUNC\s*\([^)]*\bWEEK\s*\(": "DATE_TRUNC(.., WEEK(..)) gives the wrong day",
    r"\bDATE_TRUNC\s*\([^)]*\bISOWEEK\b": "DATE_TRUNC(.., ISOWEEK) is unknown",
    r"%E3S": "FORMAT_TIMESTAMP does not know %E3S",
    r"\bAPPROX_TOP_COUNT\b": "APPROX_TOP_COUNT returns bare values",
    r"\bJSON_TYPE\b": "JSON_TYPE answers in the emulator's own words",
    r"(?<!_)\bSTRING\s*\(": "STRING(json) keeps the quotes; use JSON_VALUE",
    r"\bIGNORE\s+NULLS\s+ORDER\s+BY\b": "ARRAY_AGG(.. IGNORE NULLS ORDER BY ..) is unknown; filter the nulls",
    r"\bCREATE\s+OR\s+REPLACE\s+TABLE\b": "loses the clustering",
    r"\bSEARCH\s*\(|\bVECTOR_SEARCH\b": "search functions are unknown",
    r"\b__TABLES__\b": "__TABLES__ is unknown",
    r"\bDIV\s*\(\s*\w+\s*[-+]": "DIV(a + b, c) loses its parentheses",
}
"""Constructs the emulator gets wrong: pattern to reason."""


UNPARTITIONED_READS: Mapping[tuple[str, str], str] = {
    ("common.aso.scan_query", "opportunities_latest"): "an opportunity holds however long ago it was detected, and the "
    "newest episode of a keyword may be as old",
    ("common.aso.performance.traffic", "content_pieces_latest"): "every published piece has traffic, however old it is",
    **{
        ("common.warehouse.reconcile", f"{entity.table.name}_latest"): "compares everything with Firestore, by the day "
        "of the change"
        for entity in entities().values()
        if entity.table is not None
    },
}
"""Readers that look at all partitions of a table, with the reason: module and view."""
MECHANISMS = ("common.warehouse.query", "common.warehouse.calls", "common.calls", "common.breaker")
"""What stands between a reader and the client."""


class GuardError(AssertionError):
    """BigQuery would refuse this, or the emulator would answer it wrongly."""


def known_relations() -> Mapping[str, Relation]:
    """Return every table by name."""
    found: dict[str, Relation] = {}
    for entity in entities().values():
        if entity.table is None:
            continue
        each = relations("demo-guard", PROBE_TENANT, entity)
        found[each.log.name] = each.log
        if each.current is not None:
            found[each.current.name] = each.current
    for held in tenant_facts("demo-guard", PROBE_TENANT).values():
        found |= {held.rows.name: held.rows, held.batches.name: held.batches}
    return found


def check_statement(sql: str, parameters: Sequence[str] = ()) -> None:
    """Refuse a statement that is not written as the warehouse's statements are.

    Args:
        sql: The text, table names filled in.
        parameters: Names given.

    Raises:
        GuardError: It has a construct the emulator gets wrong, reads a log without bounding its partitions, names
            parameters it does not get, or does not parse.
    """
    for pattern, reason in SILENTLY_WRONG.items():
        if re.search(pattern, sql, re.IGNORECASE):
            raise GuardError(f"{reason}: {sql}")
    named = set(re.findall(r"@(\w+)", re.sub(r"'[^']*'", "''", sql)))
    if named != set(parameters):
        raise GuardError(f"the text names {sorted(named)}, given are {sorted(parameters)}")
    try:
        tree = sqlglot.parse_one(sql, dialect="bigquery")
    except sqlglot.errors.ParseError as error:
        raise GuardError(f"does not parse: {error}") from error
    if not isinstance(tree, exp.Create | exp.Alter):
        for name, scope in unbounded(tree):
            raise GuardError(f"{name} is read without a bound on its partitions: {scope}")


def check_view(table: bigquery.Table) -> None:
    """Refuse a view whose text is not written as the warehouse's statements are.

    Raises:
        GuardError: As ``check_statement``.
    """
    if table.view_query is not None:
        name = f"{table.project}.{table.dataset_id}.{table.table_id}"
        check_statement(f"CREATE OR REPLACE VIEW `{name}` AS\n{table.view_query}")


def check_reader(sql: str, reader: str) -> None:
    """Refuse a query of the product that reads all partitions of a view where it could leave some out.

    Args:
        sql: The text, table names filled in.
        reader: Module that asks; tests look at whole tables as they like.

    Raises:
        GuardError: It does not compare the column that partitions the table behind the view.
    """
    if not reader.startswith("common."):
        return
    partitions = {
        view: column for view, column in view_partitions().items() if (reader, view) not in UNPARTITIONED_READS
    }
    tree = sqlglot.parse_one(sql, dialect="bigquery")
    if isinstance(tree, exp.Create | exp.Alter):
        return  # a view is bounded by who reads it
    for name, scope in _unbounded(tree, partitions):
        raise GuardError(f"{reader} reads {name} without a bound on {partitions[name]}: {scope}")


def view_partitions() -> Mapping[str, str]:
    """Return the column that partitions the table behind each view."""
    tables = [entity.table for entity in entities().values() if entity.table is not None]
    tables += [each.table for each in facts().values()]
    return {f"{table.name}_latest": table.partition for table in tables if table.partition is not None}


def asking() -> str:
    """Return the module that asks BigQuery now through ``common.warehouse.query``; empty where nobody does."""
    frame, inside = inspect.currentframe(), False
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        inside = inside or module == MECHANISMS[0]
        if inside and module not in MECHANISMS:
            return module
        frame = frame.f_back
    return ""


def unbounded(tree: exp.Expr) -> Iterator[tuple[str, str]]:
    """Yield the logs that a statement reads in a scope that does not compare their time of arrival."""
    logs = {name: "appended_at" for name, each in known_relations().items() if each.partition == "appended_at"}
    yield from _unbounded(tree, logs)


def _unbounded(tree: exp.Expr, partitions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the relations read in a scope that does not compare their column of ``partitions``, with the scope."""
    for table in tree.find_all(exp.Table):
        if table.name not in partitions or _is_target(table):
            continue
        scope = table.find_ancestor(exp.Select, exp.Delete, exp.Update)
        where = None if scope is None else scope.args.get("where")
        bounds = [] if where is None else list(where.find_all(exp.GTE, exp.GT, exp.Between, exp.EQ))
        if not any(_names(bound.this, partitions[table.name], table.alias_or_name) for bound in bounds):
            yield table.name, "" if scope is None else scope.sql(dialect="bigquery")


def _names(side: exp.Expr, column: str, alias: str) -> bool:
    return any(found.name == column and found.table in {"", alias} for found in side.find_all(exp.Column))


def _is_target(table: exp.Table) -> bool:
    parent = table.parent
    if isinstance(parent, exp.Schema):
        parent = parent.parent
    return isinstance(parent, exp.Insert | exp.Merge) and table.find_ancestor(exp.Select) is None


def estimated_bytes(sql: str, row_counts: Mapping[str, int]) -> int:
    """Estimate what a query reads if nothing is pruned: the named columns of every table, for all its rows.

    Args:
        sql: The query, views already replaced by what they read.
        row_counts: Rows by table name.
    """
    tree = sqlglot.parse_one(sql, dialect="bigquery")
    columns = {column.name for column in tree.find_all(exp.Column)}
    everything = any(True for _ in tree.find_all(exp.Star))
    known, total = known_relations(), 0
    for name in {table.name for table in tree.find_all(exp.Table)} & set(known):
        read = [column for column in known[name].columns if everything or column.name in columns]
        total += sum(SIZES.get(column.type, GUESSED_TEXT) for column in read) * row_counts.get(name, 0)
    return total


def check_row(schema: Sequence[bigquery.SchemaField], row: Mapping[str, Any]) -> None:
    """Refuse a row that BigQuery would refuse.

    Raises:
        GuardError: A field is unknown, a required one missing, or a value of the wrong type.
    """
    fields = {field.name: field for field in schema}
    if unknown := set(row) - set(fields):
        raise GuardError(f"unknown fields {sorted(unknown)}")
    for name, field in fields.items():
        value = row.get(name)
        if value is None:
            if field.mode == "REQUIRED":
                raise GuardError(f"{name} is required")
            continue
        values = value if field.mode == "REPEATED" else [value]
        if not isinstance(values, list) or not all(_fits(field.field_type, each) for each in values):
            raise GuardError(f"{name}: {value!r} is no {field.field_type}")


def _fits(kind: str, value: object) -> bool:
    match kind:
        case "INTEGER" | "INT64":
            return isinstance(value, int) and not isinstance(value, bool)
        case "FLOAT" | "FLOAT64":
            return value in {"NaN", "Infinity", "-Infinity"} or (
                isinstance(value, int | float) and not isinstance(value, bool)
            )
        case "BOOLEAN" | "BOOL":
            return isinstance(value, bool)
        case "TIMESTAMP":
            return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
        case "DATE":
            return isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) is not None
        case _:
            return isinstance(value, str)


@contextmanager
def guarded(client: bigquery.Client) -> Iterator[bigquery.Client]:
    """Check every statement and row of a client, until the block ends."""
    query: Callable[..., Any] = client.query
    insert: Callable[..., Any] = client.insert_rows_json
    load: Callable[..., Any] = client.load_table_from_file
    get_table: Callable[..., Any] = client.get_table
    create: Callable[..., Any] = client.create_table
    update: Callable[..., Any] = client.update_table

    def checked_query(sql: str, job_config: Any = None, **options: Any) -> Any:
        parameters = [] if job_config is None else [each.name for each in job_config.query_parameters]
        check_statement(sql, parameters)
        check_reader(sql, asking())
        return query(sql, job_config=job_config, **options)

    def checked_insert(table: str, rows: Sequence[Mapping[str, Any]], **options: Any) -> Any:
        if len(rows) > 50_000:
            raise GuardError(f"{len(rows)} rows in one request")
        schema: Sequence[bigquery.SchemaField] = get_table(table).schema
        for row in rows:
            check_row(schema, row)
        return insert(table, rows, **options)

    def checked_load(file: Any, table: str, **options: Any) -> Any:
        schema: Sequence[bigquery.SchemaField] = get_table(table).schema
        for line in file.getvalue().splitlines():
            check_row(schema, json.loads(line))
        return load(file, table, **options)

    def checked_create(table: bigquery.Table, **options: Any) -> Any:
        check_view(table)
        return create(table, **options)

    def checked_update(table: bigquery.Table, fields: Sequence[str], **options: Any) -> Any:
        check_view(table)
        return update(table, fields, **options)

    client.query = checked_query
    client.create_table, client.update_table = checked_create, checked_update
    client.insert_rows_json = checked_insert
    client.load_table_from_file = checked_load
    try:
        yield client
    finally:
        del client.query, client.insert_rows_json, client.load_table_from_file
        del client.create_table, client.update_table
