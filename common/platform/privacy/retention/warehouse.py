"""Retention in the warehouse: rows whose time is over, removed by statements that touch old partitions only.

Current tables follow the documents by their merge, and logs of changes expire by themselves. What is left are tables
that are only ever appended to: observations, whose rows go once the warehouse has heard that the document is gone
(so nothing goes that a legal hold keeps), and facts, which have no documents. A statement that removes whole
partitions reads nothing and costs nothing (https://cloud.google.com/bigquery/docs/using-dml-with-partitioned-tables).
"""

from __future__ import annotations

from datetime import datetime

from google.api_core import exceptions

from common.cache import invalidate
from common.context import Context
from common.registry import EntityRecord, FactsRecord
from common.warehouse.fact_tables import fact_relations
from common.warehouse.facts import STREAMING
from common.warehouse.query import run
from common.warehouse.tables import Relation, relations


def is_appended(entity: EntityRecord) -> bool:
    """Tell whether rows of an entity stay in the warehouse until they are removed here."""
    return entity.table is not None and entity.table.immutable and entity.table.partition is not None


def remove_observations(context: Context, entity: EntityRecord, before: datetime) -> int | None:
    """Remove the rows of observations that are over and whose documents are gone; return how many.

    None where BigQuery cannot say yet, because rows were streamed lately: the next run removes them.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    found = relations(context.clients.settings.project, context.tenant_id, entity)
    key, old = found.table.key, f"{found.log.partition} < @before"
    sql = f"""\
DELETE FROM {found.log.sql}
WHERE {old} AND {key} IN (
  SELECT {key} FROM {found.log.sql} WHERE {old} AND change_operation = 'deleted'
)"""  # noqa: S608 - identifiers are validated
    return _removed(context, sql, found.log, before)


def remove_facts(context: Context, facts: FactsRecord, before: datetime) -> int | None:
    """Remove the rows of facts that are over; return how many, or None as ``remove_observations``.

    Raises:
        Unavailable: BigQuery or Redis does not answer.
    """
    found = fact_relations(context.clients.settings.project, context.tenant_id, facts)
    sql = f"DELETE FROM {found.rows.sql} WHERE {found.rows.partition} < @before"  # noqa: S608 - as above
    removed = _removed(context, sql, found.rows, before)
    if removed:
        invalidate(context.clients, context.tenant_id, facts.caches)
    return removed


def _removed(context: Context, sql: str, relation: Relation, before: datetime) -> int | None:
    limit = before.date() if relation.partition_type == "DATE" else before
    try:
        return run(context, sql, {"before": limit}).changed or 0
    except exceptions.BadRequest as error:
        if STREAMING not in str(error):
            raise
        return None
