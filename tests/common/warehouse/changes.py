"""Changes of keywords for tests: events as the relay would publish them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from common.events import Change, Envelope, EventMetadata, Operation, event_id_of, moment_of

FIRST = 1_790_000_000_000_000
"""Sequence (microseconds since the epoch) from which tests count."""
CREATED = "2026-09-01T08:00:00.000000Z"


def keyword(number: int, **fields: Any) -> dict[str, Any]:
    """Return the fields of a keyword document."""
    return {
        "keyword_id": f"keyword-{number:05d}",
        "keyword": f"running shoes {number}",
        "created_at": CREATED,
        "last_checked": "2026-09-20T08:00:00.000000Z",
        **fields,
    }


def event(
    tenant_id: str,
    data: Mapping[str, Any],
    sequence: int,
    operation: Operation = "updated",
    entity: str = "keyword",
    key: str = "keyword_id",
) -> Envelope:
    """Return the event of a change; ``sequence`` counts from ``FIRST``."""
    path = f"{entity}s/{data[key]}"
    return Envelope(
        event_type=f"{entity}-{operation}",
        event_id=event_id_of(path, FIRST + sequence),
        timestamp=moment_of(FIRST + sequence),
        tenant_id=tenant_id,
        source_service="aso",
        schema_version=1,
        payload=Change(
            entity=entity,
            document=path,
            document_id=str(data[key]),
            operation=operation,
            sequence=FIRST + sequence,
            data=dict(data),
        ),
        metadata=EventMetadata(correlation_id="test"),
    )


def moment(text: str) -> datetime:
    """Parse a time."""
    return datetime.fromisoformat(text).astimezone(UTC)
