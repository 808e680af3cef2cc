"""Periods that callers ask for: so many days back, or from one day to another."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from common.errors import FieldError, Unprocessable

LONGEST_DAYS = 400


def since_midnight(days: int | None) -> datetime | None:
    """Return midnight UTC ``days`` days ago, or None for no bound.

    Whole days, because a cursor belongs to one query: with the running time in it, page two would be another query.
    """
    if days is None:
        return None
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=days)


def days_between(
    first: str | None, last: str | None, usual: int, longest: int = LONGEST_DAYS, oldest: date = date.min
) -> tuple[date, date]:
    """Return the first and the last day asked for.

    Args:
        first: First day; None for ``usual`` days in all.
        last: Last day; None for today.
        usual: Days where no first one is given.
        longest: Days at most.
        oldest: The range may not begin before.

    Raises:
        Unprocessable: ``invalid_range`` (it ends before it begins, or begins before the oldest day),
            ``range_too_long``.
    """
    end = datetime.now(UTC).date() if last is None else date.fromisoformat(last)
    start = date.fromordinal(max(1, end.toordinal() - usual + 1)) if first is None else date.fromisoformat(first)
    if start > end:
        raise refused("invalid_range", "the range ends before it begins", "query:to")
    if start < oldest:
        pointer = "query:to" if first is None else "query:from"
        raise refused("invalid_range", f"there is nothing before {oldest.isoformat()}", pointer)
    if (end - start).days >= longest:
        raise refused("range_too_long", f"the range may have at most {longest} days", "query:from")
    return start, end


def refused(code: str, message: str, pointer: str) -> Unprocessable:
    """Return the refusal of a query."""
    return Unprocessable(code, message, errors=[FieldError(pointer=pointer, code=code, message=message)])
