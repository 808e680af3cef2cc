"""Queries against the warehouse: parameters only, table names from the declarations, bounded in time and bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from google.cloud import bigquery

from common.clients.bigquery import bigquery_client
from common.context import Context
from common.errors import ConfigurationError
from common.warehouse.calls import DEPENDENCY, calling
from common.warehouse.fact_tables import tenant_facts
from common.warehouse.tables import tenant_relations

PATIENCE = 30.0
"""Seconds a query may take where the deadline allows more."""
Row = Mapping[str, Any]
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_LABEL = re.compile(r"[^a-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Typed:
    """A parameter whose type its value cannot tell: a null, an empty list, a string that is a ``DATE``.

    Attributes:
        type: BigQuery type of a scalar, or of the elements of a list.
        value: None, a scalar or a list.
    """

    type: str
    value: object


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a statement did.

    Attributes:
        rows: The rows of a query; empty for a statement that changes a table.
        changed: Rows inserted, updated and deleted; None where BigQuery does not say.
        bytes_processed: Bytes that the statement read; 0 on the local cloud.
    """

    rows: list[Row]
    changed: int | None
    bytes_processed: int


def rows(
    context: Context,
    sql: str,
    parameters: Mapping[str, object],
    *,
    timeout: float = PATIENCE,
    maximum_bytes: int | None = None,
    attempts: int = 3,
) -> list[Row]:
    """Run a query for the context's tenant and return its rows.

    Args:
        context: Whose tenant, deadline and clients are used.
        sql: Text with ``{relation}`` in place of tables, such as ``{keywords_latest}``, and ``@name`` for parameters.
        parameters: By name; the type follows the Python value, see ``parameter``.
        timeout: Seconds at most, within the deadline.
        maximum_bytes: Refuse to run (and to pay) a query that would read more.
        attempts: Tries in all while BigQuery does not answer.

    Raises:
        Unavailable: BigQuery does not answer in time, or the tenant's tables do not exist yet.
        ConfigurationError: The text names a relation nobody declared.
    """
    return run(context, sql, parameters, timeout=timeout, maximum_bytes=maximum_bytes, attempts=attempts).rows


def run(
    context: Context,
    sql: str,
    parameters: Mapping[str, object],
    *,
    timeout: float = PATIENCE,
    maximum_bytes: int | None = None,
    attempts: int = 3,
) -> Outcome:
    """Run a query or an idempotent statement; arguments and errors as for ``rows``."""
    client = context.clients.get(bigquery_client)
    text = with_tables(context, sql)
    typed = [parameter(name, value) for name, value in parameters.items()]
    labels = {"tenant": _label(context.tenant_id), "function": _label(context.function)}

    def attempt() -> Outcome:
        left = context.deadline.timeout(timeout, DEPENDENCY)
        config = bigquery.QueryJobConfig(query_parameters=typed, labels=labels, job_timeout_ms=int(left * 1000))
        if maximum_bytes is not None:
            config.maximum_bytes_billed = maximum_bytes
        job = client.query(text, job_config=config, timeout=left, retry=None, job_retry=None)
        found = job.result(timeout=left, retry=None)
        return Outcome(
            rows=[dict(row.items()) for row in found],
            changed=job.num_dml_affected_rows,
            bytes_processed=int(job.total_bytes_processed or 0),
        )

    return calling(context, attempt, attempts=attempts)


def _label(text: str) -> str:
    return _LABEL.sub("-", text.lower())[:63]


def with_tables(context: Context, sql: str) -> str:
    """Return the text with every ``{relation}`` replaced by the tenant's table of that name.

    Raises:
        ConfigurationError: A placeholder names no relation of the context's tenant.
    """
    names: dict[str, str] = {}
    project = context.clients.settings.project
    for facts in tenant_facts(project, context.tenant_id).values():
        names |= {facts.rows.name: facts.rows.sql, facts.batches.name: facts.batches.sql, facts.view_name: facts.view}
    for found in tenant_relations(project, context.tenant_id).values():
        names[found.log.name] = found.log.sql
        names[found.view_name] = found.view
        if found.current is not None:
            names[found.current.name] = found.current.sql

    def name_of(match: re.Match[str]) -> str:
        if match[1] not in names:
            raise ConfigurationError(f"{match[1]!r} is no relation of a tenant")
        return names[match[1]]

    return _PLACEHOLDER.sub(name_of, sql)


def _datetime_type(value: datetime) -> str:
    if value.tzinfo is None:
        raise TypeError("a time without a zone is no parameter")
    return "TIMESTAMP"


_SCALARS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (bool, lambda _: "BOOL"),  # before int, of which it is a kind
    (int, lambda _: "INT64"),
    (float, lambda _: "FLOAT64"),
    (Decimal, lambda _: "NUMERIC"),
    (str, lambda _: "STRING"),
    (bytes, lambda _: "BYTES"),
    (datetime, _datetime_type),  # before date, of which it is a kind
    (date, lambda _: "DATE"),
)


def parameter(name: str | None, value: object) -> Any:
    """Return a query parameter: scalars, lists and (lists of) maps of them; ``Typed`` where the value cannot tell.

    Raises:
        TypeError: The value has no BigQuery type: None or an empty list without ``Typed``, a naive time, a mixed list.
    """
    if isinstance(value, Typed):
        if isinstance(value.value, list | tuple):
            return bigquery.ArrayQueryParameter(name, value.type, list(value.value))
        return bigquery.ScalarQueryParameter(name, value.type, value.value)
    if isinstance(value, Mapping):
        return bigquery.StructQueryParameter(name, *(parameter(str(key), item) for key, item in value.items()))
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _array(name, value)
    return bigquery.ScalarQueryParameter(name, _scalar_type(value), value)


def _array(name: str | None, values: Sequence[object]) -> Any:
    if values and all(isinstance(value, Mapping) for value in values):
        return bigquery.ArrayQueryParameter(name, "STRUCT", [parameter(None, value) for value in values])
    types = {_scalar_type(value) for value in values}
    if len(types) != 1:
        raise TypeError(f"parameter {name}: a list needs elements of one type, this one has {sorted(types)}")
    return bigquery.ArrayQueryParameter(name, types.pop(), list(values))


def _scalar_type(value: object) -> str:
    for kind, type_of in _SCALARS:
        if isinstance(value, kind):
            return type_of(value)
    raise TypeError(f"{type(value).__name__} is no query parameter; use Typed")
