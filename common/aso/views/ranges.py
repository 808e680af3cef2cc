"""The days that a view is about."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from common.errors import FieldError, Unprocessable

CARRIED_DAYS = 14
"""A look counts until the next one, but for so many days at most: twice the longest usual distance between two."""
LONGEST_DAYS = 400
OLDEST = date(2000, 1, 1)


def days_between(first: str | None, last: str | None, usual: int, longest: int = LONGEST_DAYS) -> tuple[date, date]:
    """Return the first and the last day asked for.

    Args:
        first: First day; None for ``usual`` days in all.
        last: Last day; None for today.
        usual: Days where no first one is given.
        longest: Days at most.

    Raises:
        Unprocessable: ``invalid_range`` (it ends before it begins, or begins before the year 2000),
            ``range_too_long``.
    """
    end = datetime.now(UTC).date() if last is None else date.fromisoformat(last)
    if end < OLDEST + timedelta(days=usual):
        raise refused("invalid_range", "there is nothing before the year 2000", "query:to")
    start = end - timedelta(days=usual - 1) if first is None else date.fromisoformat(first)
    if start > end or start < OLDEST:
        raise refused("invalid_range", "it ends before it begins, or begins before the year 2000", "query:from")
    if (end - start).days >= longest:
        raise refused("range_too_long", f"at most {longest} days can be asked for", "query:from")
    return start, end


def stepped(first: date, last: date, step: int) -> list[date]:
    """Return every ``step``-th day back from the last one, oldest first."""
    return sorted(last - timedelta(days=back) for back in range(0, (last - first).days + 1, step))


def refused(code: str, message: str, pointer: str) -> Unprocessable:
    """Return the refusal of a query."""
    return Unprocessable(code, message, errors=[FieldError(pointer=pointer, code=code, message=message)])
