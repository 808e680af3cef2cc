"""Days that a view shows, and how long a look counts."""

from __future__ import annotations

from datetime import date, timedelta

from common.aso.periods import days_between

CARRIED_DAYS = 14
"""A look counts until the next one, but for so many days at most: twice the longest usual distance between two."""
OLDEST = date(2000, 1, 1)
"""Views begin no earlier: looks are carried on, so they reach back behind the first day."""


def shown_days(first: str | None, last: str | None, usual: int) -> tuple[date, date]:
    """Return the first and the last day of a view; arguments and errors as for ``days_between``."""
    return days_between(first, last, usual, oldest=OLDEST)


def stepped(first: date, last: date, step: int) -> list[date]:
    """Return every ``step``-th day back from the last one, oldest first."""
    return sorted(last - timedelta(days=back) for back in range(0, (last - first).days + 1, step))
