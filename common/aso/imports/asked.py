"""What the caller says about a file beside sending it: checked, and brought into the terms of plans and rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from common.aso.imports.models import ImportQuery
from common.aso.imports.plan import Plan
from common.aso.imports.reader import EncodingName
from common.aso.imports.table import Circumstances
from common.errors import FieldError, Unprocessable

LONGEST_PERIOD = timedelta(days=500)


def check_range(query: ImportQuery, today: date) -> None:
    """Refuse a period that cannot be.

    Raises:
        Unprocessable: ``invalid_range``.
    """
    first = None if query.from_ is None else date.fromisoformat(query.from_)
    last = None if query.to is None else date.fromisoformat(query.to)
    if first is not None and last is None:
        raise _invalid_range("from", "from needs to")
    if last is not None and last > today:
        raise _invalid_range("to", "to is in the future")
    if first is not None and last is not None and not timedelta() <= last - first < LONGEST_PERIOD:
        raise _invalid_range("from", f"from is after to, or more than {LONGEST_PERIOD.days} days before it")


def check_days(plan: Plan, query: ImportQuery) -> None:
    """Refuse search performance of which nobody says when it was.

    Raises:
        Unprocessable: ``period_required``.
    """
    if plan.format != "search_console" or plan.table == "queries" or "date" in plan.columns or query.from_ is not None:
        return
    message = f"a table of {plan.table.replace('_', ' ')} does not say which days it covers; give from and to"
    error = FieldError(pointer="query:from", code="period_required", message=message)
    raise Unprocessable("period_required", message, errors=[error])


def mapping_of(query: ImportQuery) -> dict[str, str | None]:
    """Return the mapping of a query.

    Raises:
        Unprocessable: ``invalid_mapping``.
    """
    if query.mapping is None:
        return {}
    try:
        mapping = json.loads(query.mapping)
    except (ValueError, RecursionError) as error:
        raise _invalid_mapping("mapping is not JSON") from error
    if not isinstance(mapping, dict) or not all(isinstance(field, str | None) for field in mapping.values()):
        raise _invalid_mapping("mapping is a JSON object of column name to the name of a field, or to null")
    return mapping


def encoding_of(query: ImportQuery) -> EncodingName | None:
    """Return the encoding that the caller named, or None."""
    return None if query.encoding == "auto" else query.encoding


def as_of_of(plan: Plan, query: ImportQuery, first_seen: datetime) -> tuple[datetime, str]:
    """Return the moment that rows without a day of their own are of, and what that rests on."""
    told = plan.told.get("to")
    if query.to is not None:
        return _midnight(query.to), "given"
    if isinstance(told, str) and _midnight(told) <= first_seen:
        return _midnight(told), "file"
    return first_seen, "first_upload"


def circumstances_of(
    as_of: datetime, query_from: str | None, query_to: str | None, latest: date, hosts: Sequence[str]
) -> Circumstances:
    """Return what a file does not say about itself."""
    first = None if query_from is None else date.fromisoformat(query_from)
    last = None if query_to is None else date.fromisoformat(query_to)
    days = None if first is None or last is None else (last - first).days + 1
    return Circumstances(as_of=as_of.astimezone(UTC).date(), days=days, latest=latest, first=first, hosts=tuple(hosts))


def day_of(moment: datetime) -> str:
    """Return the UTC day of a moment."""
    return moment.astimezone(UTC).date().isoformat()


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)


def _invalid_range(name: str, message: str) -> Unprocessable:
    error = FieldError(pointer=f"query:{name}", code="invalid_range", message=message)
    return Unprocessable("invalid_range", message, errors=[error])


def _invalid_mapping(message: str) -> Unprocessable:
    error = FieldError(pointer="query:mapping", code="invalid_mapping", message=message)
    return Unprocessable("invalid_mapping", message, errors=[error])
