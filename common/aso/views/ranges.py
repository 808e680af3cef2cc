"""Days that a view shows, and how long a look counts."""

from __future__ import annotations

from datetime import date, timedelta

CARRIED_DAYS = 14
"""A look counts until the next one, but for so many days at most: twice the longest usual distance between two."""


def stepped(first: date, last: date, step: int) -> list[date]:
    """Return every ``step``-th day back from the last one, oldest first."""
    return sorted(last - timedelta(days=back) for back in range(0, (last - first).days + 1, step))
