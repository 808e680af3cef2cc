"""Documents as rows: every value is checked against its column before it is sent."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from common.errors import PoisonEvent
from common.events import Envelope
from common.registry import TableRecord
from common.warehouse.tables import SCHEMA_VERSION, SEQUENCE, Column, declared_columns

NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, kw_only=True, slots=True)
class LogRow:
    """One row for the log, but for the time of arrival, which the append stamps.

    Attributes:
        values: Column to JSON value, as BigQuery's streaming interface takes it.
        event_id: Lets BigQuery drop a repeated append; equal for every delivery of the change.
        size: Bytes of the row as JSON.
    """

    values: Mapping[str, Any]
    event_id: str
    size: int


def row_of(table: TableRecord, envelope: Envelope) -> LogRow:
    """Return the log's row of a change.

    Fields without a column are left out: a table holds the columns of document 000 and what is declared beside them.
    A deletion keeps nothing but the key (and the partition of an immutable row), so that no personal data outlives its
    document in the newest row.

    Raises:
        PoisonEvent: ``schema_mismatch``: a value does not fit its column, or a required one is missing.
    """
    change = envelope.payload
    deleted = change.operation == "deleted"
    kept = {table.key} | ({table.partition} if table.immutable and table.partition else set())
    values: dict[str, Any] = {}
    for column in declared_columns(table):
        if column.name in {SCHEMA_VERSION.name, SEQUENCE.name} or (deleted and column.name not in kept):
            continue
        value = cell(table, column, change.data.get(column.name))
        if value is not None:
            values[column.name] = value
    if table.key not in values:
        raise PoisonEvent("schema_mismatch", f"{table.name}.{table.key}: the key is missing")
    values |= {
        SCHEMA_VERSION.name: envelope.schema_version,
        SEQUENCE.name: change.sequence,
        "change_operation": change.operation,
        "change_event_id": str(envelope.event_id),
    }
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return LogRow(values=values, event_id=str(envelope.event_id), size=len(text.encode()) + 96)


def cell(table: TableRecord, column: Column, value: object) -> Any:
    """Return a value as the column takes it; None where the column stays null.

    Raises:
        PoisonEvent: ``schema_mismatch``, naming the column.
    """
    where = f"{table.name}.{column.name}"
    if column.mode == "REPEATED":
        if value is None:
            return None
        if not isinstance(value, list):
            raise PoisonEvent("schema_mismatch", f"{where}: a list is expected, not {_kind(value)}")
        return [_scalar(f"{where}[{position}]", column.type, item) for position, item in enumerate(value)]
    if value is None:
        if column.mode == "REQUIRED":
            raise PoisonEvent("schema_mismatch", f"{where}: a value is required")
        return None
    return _scalar(where, column.type, value)


def _scalar(where: str, kind: str, value: object) -> Any:
    try:
        return _CONVERSIONS[kind](value)
    except (ValueError, TypeError, InvalidOperation, binascii.Error) as error:
        raise PoisonEvent("schema_mismatch", f"{where}: {kind} is expected, not {_kind(value)}") from error


def _kind(value: object) -> str:
    """Describe a value without showing it: it may be personal."""
    return f"a text of {len(value)} characters" if isinstance(value, str) else type(value).__name__


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise TypeError
    return value


def _float(value: object) -> float | str:
    if isinstance(value, str) and value in NOT_FINITE:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(float(value)):
        raise TypeError
    return value


def _numeric(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    number = Decimal(str(value))
    if not number.is_finite() or abs(number) >= Decimal(10) ** 29 or number != round(number, 9):
        raise ValueError
    return f"{number:f}"


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _timestamp(value: object) -> str:
    moment = datetime.fromisoformat(_string(value))
    if moment.tzinfo is None:
        raise ValueError
    return _string(value)


def _date(value: object) -> str:
    text = _string(value)
    if _DAY.fullmatch(text) is None:
        raise ValueError
    return date.fromisoformat(text).isoformat()


def _bytes(value: object) -> str:
    text = _string(value)
    base64.b64decode(text, validate=True)
    return text


def _json(value: object) -> str:
    # The streaming interface takes JSON as text; a map would be read as a record.
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


_CONVERSIONS: Mapping[str, Callable[[object], Any]] = {
    "STRING": _string,
    "INT64": _integer,
    "FLOAT64": _float,
    "NUMERIC": _numeric,
    "BOOL": _boolean,
    "TIMESTAMP": _timestamp,
    "DATE": _date,
    "BYTES": _bytes,
    "JSON": _json,
}
