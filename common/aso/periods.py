"""Periods that callers give in days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def since_midnight(days: int | None) -> datetime | None:
    """Return midnight UTC ``days`` days ago, or None for no bound.

    Whole days, because a cursor belongs to one query: with the running time in it, page two would be another query.
    """
    if days is None:
        return None
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=days)
