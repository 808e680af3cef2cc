"""Appending to the log of changes: streaming inserts with ids, in groups that requests of one process share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from google.cloud import bigquery

from common.clients.bigquery import bigquery_client
from common.context import Context
from common.errors import PoisonEvent, Unavailable
from common.model import rfc3339
from common.settings import Settings
from common.warehouse.calls import DEPENDENCY, calling
from common.warehouse.groups import GroupCommit, GroupLimits
from common.warehouse.rows import LogRow
from common.warehouse.tables import Relation

LIMITS = GroupLimits(items=500, size=8_000_000)
"""BigQuery takes 50,000 rows and 10 MB a request, and advises 500 rows."""
PATIENCE = 20.0
"""Seconds for one request."""
REFUSED = frozenset({"invalid", "invalidQuery"})
"""Reasons that stay true however often the row is sent."""


def log_groups(settings: Settings) -> GroupCommit[LogRow]:
    """Build the group commits of one process (a factory for ``Clients.get``)."""
    del settings
    return GroupCommit(DEPENDENCY, LIMITS)


def append_together(context: Context, log: Relation, row: LogRow, appended: Callable[[], None] = lambda: None) -> None:
    """Append one row together with those of other requests; return when it is in the log.

    Args:
        context: Circumstances of this caller.
        log: The table appended to.
        row: The row.
        appended: What must follow the append of a group before any of its callers is answered; called once a group.

    Raises:
        PoisonEvent: BigQuery refuses this row for good.
        Unavailable: BigQuery does not answer; the row may be in the log, and appending it again is harmless.
    """

    def flush(rows: Sequence[LogRow]) -> Mapping[int, Exception]:
        refused = append(context, log, rows)
        if len(refused) < len(rows):
            appended()
        return refused

    left = context.deadline.timeout(PATIENCE * 2, DEPENDENCY)
    context.clients.get(log_groups).submit(log.id, row, row.size, flush, timeout=left)


def append(context: Context, log: Relation, rows: Sequence[LogRow]) -> Mapping[int, Exception]:
    """Append rows; return the error of each row that BigQuery refuses for good, by position.

    Raises:
        Unavailable: BigQuery does not answer. Rows may have been appended; appending them again is harmless, because
            readers take one row per key and sequence.
    """
    refused: dict[int, Exception] = {}
    for start, chunk in _chunks(rows):
        for position, error in _append_chunk(context, log, chunk).items():
            refused[start + position] = error
    return refused


def _chunks(rows: Sequence[LogRow]) -> Iterator[tuple[int, Sequence[LogRow]]]:
    start, size = 0, 0
    for position, row in enumerate(rows):
        if position > start and (position - start >= LIMITS.items or size + row.size > LIMITS.size):
            yield start, rows[start:position]
            start, size = position, 0
        size += row.size
    if rows:
        yield start, rows[start:]


def _append_chunk(context: Context, log: Relation, rows: Sequence[LogRow]) -> Mapping[int, Exception]:
    """Append one request's worth of rows, and again those that failed because of others."""
    refused: dict[int, Exception] = {}
    left = list(range(len(rows)))
    for _ in range(3):
        sent = [rows[position] for position in left]
        answers = calling(context, functools.partial(_send, context, log, sent))
        again: list[int] = []
        for answer in answers:
            position, reasons = left[int(answer["index"])], _reasons(answer)
            if reasons & REFUSED:
                refused[position] = PoisonEvent("row_refused", f"{log.name}: {_places(answer)}")
            else:
                again.append(position)
        if not again:
            return refused
        left = again
    raise Unavailable(DEPENDENCY, f"{len(left)} rows were put off by BigQuery")


def _send(context: Context, log: Relation, rows: Sequence[LogRow]) -> list[dict[str, Any]]:
    client: bigquery.Client = context.clients.get(bigquery_client)
    # Stamped per attempt: a merge looks back from its start by far more than one request can take.
    appended_at = rfc3339(datetime.now(UTC))
    answers: list[dict[str, Any]] = client.insert_rows_json(
        log.id,
        [{**row.values, "appended_at": appended_at} for row in rows],
        row_ids=[row.event_id for row in rows],
        skip_invalid_rows=True,
        ignore_unknown_values=False,
        timeout=context.deadline.timeout(PATIENCE, DEPENDENCY),
        retry=None,
    )
    return answers


def _reasons(answer: Mapping[str, Any]) -> set[str]:
    return {str(error.get("reason")) for error in answer.get("errors", ())}


def _places(answer: Mapping[str, Any]) -> str:
    """Name columns and reasons only: BigQuery's messages repeat the value."""
    return "; ".join(f"{error.get('location') or 'row'}: {error.get('reason')}" for error in answer.get("errors", ()))
