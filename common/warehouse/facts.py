"""Writing facts: appended in batches, published slice by slice, retracted without a trace.

``append_facts`` adds rows, of which the newest per key counts; appending again changes nothing that a reader sees.
``retract_batch`` is its inverse: what the batch replaced counts again. Rows of a slice are invisible until
``publish_slice``, which puts the slice's new rows in place of all its old ones in one moment.

Small batches are streamed: visible within seconds, at 0.05 US dollars a GB and at least a kilobyte a row
(https://cloud.google.com/bigquery/pricing as of November 2026). From ``LOAD_FROM`` rows on a load job costs nothing and
takes a few seconds; a table takes 1,500 of them a day. Rows of a slice are always loaded: when the job has ended they
are all there, so that what is published is whole.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from google.api_core import exceptions
from google.cloud import bigquery

from common.cache import invalidate
from common.clients.bigquery import bigquery_client
from common.context import Context
from common.errors import PoisonEvent
from common.identifiers import derived_uuid
from common.model import rfc3339
from common.registry import FactsRecord, TableRecord
from common.warehouse.calls import DEPENDENCY, calling
from common.warehouse.fact_tables import PUBLISHED, RETRACTED, FactRelations, fact_relations
from common.warehouse.log import append
from common.warehouse.marks import EVERYTHING, set_marks
from common.warehouse.query import run
from common.warehouse.rows import LogRow, cell
from common.warehouse.tables import Column, Relation, declared_columns

LOAD_FROM = 5_000
"""Rows from which on a load job is better than ten streaming requests."""
LOADED_AT_ONCE = 50_000
"""Rows of one load job: some 25 MB of JSON, held in memory."""
LOAD_PATIENCE = 120.0
"""Seconds for one load job."""

STREAMING = "streaming buffer"
"""BigQuery's word when a statement might touch rows streamed in the last half hour; the next sweep comes soon."""

Fields = Mapping[str, Any]


def append_facts(
    context: Context,
    facts: FactsRecord,
    rows: Sequence[Fields],
    *,
    batch: str,
    sequence: int,
    slice: str | None = None,  # noqa: A002  # the domain's word
) -> int:
    """Append facts; return how many.

    Nothing is sent unless every row fits its table. What depends on the rows is not woken: see ``wake_facts``.

    Args:
        context: Tenant, clients and deadline.
        facts: Which facts.
        rows: Column to JSON value; columns that nobody declared are refused.
        batch: What can be retracted together, such as an import's id.
        sequence: Of two rows of a key the one with the greater sequence counts; microseconds since the epoch.
        slice: The rows count only once the slice is published with this batch; None counts each at once.

    Raises:
        PoisonEvent: ``schema_mismatch``: a row does not fit; ``row_refused``: BigQuery does not take it.
        Unavailable: BigQuery does not answer; some rows may be there, and appending all of them again is harmless.
    """
    found = _relations(context, facts)
    shared = {"batch_id": batch, "slice": slice, "change_sequence": sequence, "schema_version": facts.schema_version}
    columns = [column for column in declared_columns(facts.table) if column.name in facts.table.columns]
    made = [_row(facts.table, columns, row, shared) for row in rows]
    if slice is not None or len(made) >= LOAD_FROM:
        for start in range(0, len(made), LOADED_AT_ONCE):
            _load(context, found.rows, made[start : start + LOADED_AT_ONCE])
    else:
        _stream(context, found.rows, made)
    return len(made)


def publish_slice(
    context: Context,
    facts: FactsRecord,
    slice: str,  # noqa: A002  # the domain's word
    *,
    batch: str,
    sequence: int,
) -> None:
    """Let the rows of a batch be what a slice consists of; of two publications the greater sequence counts.

    Raises:
        Unavailable: BigQuery does not answer; publishing again is harmless.
    """
    _note(context, facts, {"batch_id": batch, "slice": slice, "state": PUBLISHED, "change_sequence": sequence})


def retract_batch(context: Context, facts: FactsRecord, batch: str) -> None:
    """Take back everything a batch said, published slices included, and wake what depends on it.

    What the batch had replaced counts again. Retracting again changes nothing, and rows of the batch that arrive later
    never count.

    Raises:
        Unavailable: A dependency does not answer; retracting again is harmless.
    """
    sequence = sequence_now()
    _note(context, facts, {"batch_id": batch, "slice": None, "state": RETRACTED, "change_sequence": sequence})
    wake_facts(context, facts)


def sweep_slices(context: Context, facts: FactsRecord, since: date, until: date) -> int:
    """Remove rows that a newer publication of their slice has replaced; readers notice nothing. Return how many.

    From then on retracting the newer batch brings nothing back: for slices that are fetched again rather than undone.

    Args:
        context: Tenant, clients and deadline.
        facts: Which facts.
        since: First day of the partitions to look at.
        until: Last day.

    Raises:
        Unavailable: BigQuery does not answer.
    """
    found = _relations(context, facts)
    sql = f"""\
DELETE FROM {found.rows.sql}
WHERE {found.rows.partition} >= @since AND {found.rows.partition} <= @until AND slice IS NOT NULL
  AND CONCAT(slice, '@', batch_id) IN (
    SELECT CONCAT(slice, '@', batch_id) FROM (
      SELECT
        slice,
        batch_id,
        ROW_NUMBER() OVER (PARTITION BY slice ORDER BY MAX(change_sequence) DESC, batch_id DESC) AS batch_age
      FROM {found.batches.sql}
      WHERE state = '{PUBLISHED}' AND batch_id NOT IN (
        SELECT batch_id FROM {found.batches.sql} WHERE state = '{RETRACTED}'
      )
      GROUP BY slice, batch_id
    )
    WHERE batch_age > 1
  )"""  # noqa: S608 - identifiers are validated
    try:
        return run(context, sql, {"since": since, "until": until}).changed or 0
    except exceptions.BadRequest as error:
        if STREAMING not in str(error):
            raise
        return 0


def wake_facts(context: Context, facts: FactsRecord) -> None:
    """Mark the work that new or retracted rows make due and drop the cached answers they make stale.

    Raises:
        Unavailable: Firestore or Redis does not answer.
    """
    set_marks(context, context.tenant_id, [(purpose, EVERYTHING) for purpose in facts.wakes])
    invalidate(context.clients, context.tenant_id, facts.caches)


def sequence_now() -> int:
    """Return the present as a sequence."""
    return round(datetime.now(UTC).timestamp() * 1_000_000)


def _relations(context: Context, facts: FactsRecord) -> FactRelations:
    return fact_relations(context.clients.settings.project, context.tenant_id, facts)


def _row(table: TableRecord, columns: Sequence[Column], row: Fields, shared: Fields) -> LogRow:
    if unknown := set(row) - set(table.columns):
        raise PoisonEvent("schema_mismatch", f"{table.name}: unknown columns {', '.join(sorted(unknown))}")
    values = {name: value for name, value in shared.items() if value is not None}
    for column in columns:
        value = cell(table, column, row.get(column.name))
        if value is not None:
            values[column.name] = value
    # The same row of the same batch is the same row: BigQuery drops a repeated streaming insert of the last minute.
    event_id = str(derived_uuid(shared["batch_id"], str(shared["change_sequence"]), str(values[table.key])))
    return LogRow(values=values, event_id=event_id, size=len(json.dumps(values, ensure_ascii=False).encode()) + 96)


def _stream(context: Context, relation: Relation, rows: Sequence[LogRow]) -> None:
    refused = append(context, relation, rows)
    if refused:
        raise next(iter(refused.values()))


def _load(context: Context, relation: Relation, rows: Sequence[LogRow]) -> None:
    """Append rows by a load job, all or none of them."""
    client = context.clients.get(bigquery_client)
    appended_at = rfc3339(datetime.now(UTC))
    lines = (json.dumps({**row.values, "appended_at": appended_at}, ensure_ascii=False) for row in rows)
    content = "\n".join(lines).encode()
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
        write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
    )

    def attempt() -> None:
        left = context.deadline.timeout(LOAD_PATIENCE, DEPENDENCY)
        job = client.load_table_from_file(io.BytesIO(content), relation.id, job_config=config, timeout=left)
        job.result(timeout=left, retry=None)

    try:
        calling(context, attempt)
    except exceptions.BadRequest as error:
        raise PoisonEvent("row_refused", f"{relation.name}: BigQuery refuses the rows") from error


def _note(context: Context, facts: FactsRecord, values: Fields) -> None:
    kept = {name: value for name, value in values.items() if value is not None}
    event_id = str(derived_uuid(*(f"{name}={value}" for name, value in kept.items())))
    row = LogRow(values=kept, event_id=event_id, size=len(json.dumps(kept)) + 96)
    _stream(context, _relations(context, facts).batches, [row])
