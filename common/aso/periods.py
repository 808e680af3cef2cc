"""Periods that callers ask for: so many days back, or from one day to another."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from common.errors import FieldError, Unprocessable

LONGEST_DAYS = 400
OLDEST = date(2000, 1, 1)


def since_midnight(days: int | None) -> datetime | None:
    """Return midnight UTC ``days`` days ago, or None for no bound.

    Whole days, because a cursor belongs to one query: with the running time in it, page two would be another query.
    """
    if days is None:
        return None
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=days)


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


def refused(code: str, message: str, pointer: str) -> Unprocessable:
    """Return the refusal of a query."""
    return Unprocessable(code, message, errors=[FieldError(pointer=pointer, code=code, message=message)])
