"""Bringing the current tables up to date: one bounded MERGE per changed table, every few minutes.

The source of the merge is the newest change per key among the rows that arrived since the last merge, looked for with
an hour of overlap. A change is applied only if it is later than what the table holds; a change to a key the table does
not hold is applied unless the log remembers a later deletion. So order of arrival, duplicates and repeated merges make
no difference, as long as the log remembers the deletion: ninety days. A change that arrives later than that after its
own deletion would bring the row back, until the reconciliation finds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from common.context import Context
from common.errors import ConfigurationError
from common.logs import logger
from common.model import Model, Timestamp
from common.registry import entities
from common.tasks import enqueue
from common.warehouse.marks import MERGE, claim, due, finish, lagging, settling, state_of
from common.warehouse.query import run
from common.warehouse.tables import LOG_RETENTION_DAYS, RECENT_DAYS, Relation, Relations, relations

OVERLAP = timedelta(hours=1)
"""How far a merge looks back beyond the start of the last one: rows are stamped by many clocks, and appear a little
later than they are stamped."""
PATIENCE = 240.0
"""Seconds one merge may take."""
TASK = "platform-warehouse-merge-table"
LAG = timedelta(hours=1)
"""Age of unmerged changes from which on somebody should look: a merge is due every ten minutes."""
LAG_EVENT = "warehouse_lag"
"""Message of the log line that the alert on unmerged tables looks for."""


class MergeTable(Model):
    """The task: merge one table.

    Attributes:
        tenant_id: Whose table.
        entity: Of which entity.
        working_since: Names the claim on the mark.
    """

    tenant_id: str
    entity: str
    working_since: Timestamp


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """What a merge did.

    Attributes:
        changed: Rows inserted, updated and deleted; None where BigQuery does not say.
        reasserted: Old deletions repeated in the log because a still older change arrived late.
        bytes_processed: Bytes read.
    """

    changed: int | None
    reasserted: int | None
    bytes_processed: int


def fan_out(context: Context) -> int:
    """Warn of what has waited too long, then take all merges that are due and create a task for each; return how many.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer; what was taken and has no task is due again after the
            lease.
    """
    warn_of_lag(context)
    count = 0
    for mark in due(context, MERGE):
        own = context.for_tenant(mark.tenant_id)
        taken = claim(own, MERGE, mark.tenant_id, mark.subject)
        if taken is None:
            continue
        body = MergeTable(tenant_id=mark.tenant_id, entity=mark.subject, working_since=taken.working_since)
        enqueue(own, TASK, body, delay=settling(context))
        count += 1
    return count


def warn_of_lag(context: Context) -> int:
    """Log one warning for each table whose changes have waited for a merge for more than an hour; return how many.

    Raises:
        Unavailable: Firestore does not answer.
    """
    found = lagging(context, MERGE, LAG)
    for mark in found:
        age = int((datetime.now(UTC) - mark.pending_since).total_seconds())
        logger(context).warning(LAG_EVENT, tenant_id=mark.tenant_id, entity=mark.subject, age_seconds=age)
    return len(found)


def merge_claimed(context: Context, body: MergeTable) -> None:
    """Merge one table and end its claim.

    Raises:
        Unavailable: BigQuery or Firestore does not answer; the task is to be tried again.
    """
    entity = entities().get(body.entity)
    own = context.for_tenant(body.tenant_id)
    state: dict[str, datetime] = {}
    if entity is not None and entity.table is not None and not entity.table.immutable:
        started = datetime.now(UTC)
        before = state_of(own, MERGE, body.tenant_id, body.entity).get("watermark")
        found = relations(own.clients.settings.project, body.tenant_id, entity)
        merge(own, found, before if isinstance(before, datetime) else None)
        state["watermark"] = started
    finish(own, MERGE, body.tenant_id, body.entity, body.working_since, state)


def merge(context: Context, found: Relations, watermark: datetime | None) -> Merged:
    """Merge what arrived since the last merge into the current table.

    Args:
        context: Circumstances.
        found: The entity's relations.
        watermark: Start of the last merge that succeeded; None looks at the whole log.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    if found.current is None:
        raise ConfigurationError(f"{found.entity.name} is immutable: there is nothing to merge")
    now = datetime.now(UTC)
    retained = now - timedelta(days=LOG_RETENTION_DAYS)
    parameters = {"since": max(retained, watermark - OVERLAP) if watermark else retained, "retained": retained}
    # A day of margin: the view looks back from the moment it is read, which comes later.
    bounds = {"recent": now - timedelta(days=RECENT_DAYS - 1), "now": now}
    merged = run(context, merge_sql(found, found.current), parameters, timeout=PATIENCE)
    reasserted = run(context, reassert_sql(found), {**parameters, **bounds}, timeout=PATIENCE)
    return Merged(
        changed=merged.changed,
        reasserted=reasserted.changed,
        bytes_processed=merged.bytes_processed + reasserted.bytes_processed,
    )


def merge_sql(found: Relations, current: Relation) -> str:
    """Return the statement; parameters ``@since`` and ``@retained``."""
    key = found.table.key
    names = found.read_columns
    source = ", ".join(f"source.{name}" for name in names)
    target = ", ".join(f"target.{name}" for name in names)
    return f"""\
MERGE {current.sql} AS target
USING (
  SELECT newest.* FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY change_sequence DESC, appended_at DESC) AS change_age
    FROM {found.log.sql}
    WHERE appended_at >= @since
  ) AS newest
  WHERE newest.change_age = 1 AND NOT EXISTS (
    SELECT 1 FROM {found.log.sql} AS buried
    WHERE buried.appended_at >= @retained AND buried.change_operation = 'deleted'
      AND buried.{key} = newest.{key} AND buried.change_sequence > newest.change_sequence
  )
) AS source
ON target.{key} = source.{key}
WHEN MATCHED AND source.change_operation = 'deleted' AND source.change_sequence >= target.change_sequence THEN
  DELETE
WHEN MATCHED AND source.change_operation != 'deleted' AND (
  source.change_sequence > target.change_sequence
  OR (source.change_sequence = target.change_sequence
      AND TO_JSON_STRING(STRUCT({source})) != TO_JSON_STRING(STRUCT({target})))
) THEN
  UPDATE SET {", ".join(f"{name} = source.{name}" for name in names)}
WHEN NOT MATCHED AND source.change_operation != 'deleted' THEN
  INSERT ({", ".join(names)}) VALUES ({source})"""  # noqa: S608 - identifiers are validated


def reassert_sql(found: Relations) -> str:
    """Return the statement that repeats deletions which the read view can no longer see but needs again.

    A late change to a document whose deletion is older than the days the view looks back would show in the view; the
    deletion is therefore appended once more. Parameters ``@since``, ``@retained``, ``@recent``, ``@now``.
    """
    key = found.table.key
    return f"""\
INSERT INTO {found.log.sql}
  ({key}, schema_version, change_sequence, change_operation, change_event_id, appended_at)
SELECT
  buried.{key}, buried.schema_version, buried.change_sequence, buried.change_operation, buried.change_event_id, @now
FROM (
  SELECT {key}, schema_version, change_sequence, change_operation, change_event_id, appended_at,
    ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY change_sequence DESC, appended_at DESC) AS change_age
  FROM {found.log.sql}
  WHERE appended_at >= @retained AND change_operation = 'deleted'
) AS buried
WHERE buried.change_age = 1 AND buried.appended_at < @recent AND EXISTS (
  SELECT 1 FROM {found.log.sql} AS late
  WHERE late.appended_at >= @since AND late.change_operation != 'deleted'
    AND late.{key} = buried.{key} AND late.change_sequence < buried.change_sequence
)"""  # noqa: S608 - identifiers are validated
