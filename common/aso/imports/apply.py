"""Bring parsed rows into keywords and rank observations, with what became of each row.

A keyword may stand in several rows of a file (a rank per day or device). Its numbers are taken from the first of them;
a later row that tells other numbers is refused, so that the outcome does not depend on anything but the file, and
importing it again changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from common.answers import RowResult
from common.aso import keywords, ranks
from common.aso.imports.table import Columns, ParsedRow, Problem
from common.aso.normalize import normalized_keyword
from common.context import Context

Outcome = Literal["created", "updated", "unchanged"]

FIELD_OF = {
    "search_volume": "search_volume",
    "difficulty_score": "difficulty",
    "allintitle_results": "allintitle",
    "observed_impressions": "impressions",
    "observed_clicks": "clicks",
    "position": "rank",
    "checked_at": "date",
}
"""Field of a keyword or observation to the column that tells it, where the names differ."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What rows of one file have in common.

    Attributes:
        name: Provenance of their numbers.
        rank_name: Source of their rank observations.
        as_of: Moment that numbers without a time of their own are of.
        day: Day of that moment, for ranks without a day.
    """

    name: str
    rank_name: str
    as_of: datetime
    day: str


@dataclass(slots=True)
class Applied:
    """What became of some rows.

    Attributes:
        outcomes: How often each outcome came about.
        refused: Rows that were not taken, with the reasons.
    """

    outcomes: dict[Outcome, int] = field(default_factory=lambda: {"created": 0, "updated": 0, "unchanged": 0})
    refused: list[tuple[ParsedRow, Sequence[Problem]]] = field(default_factory=list)


class Repetitions:
    """Remembers the keywords of a file and what their first row told; about 150 bytes a keyword."""

    def __init__(self) -> None:
        self._first: dict[bytes, tuple[int, bytes]] = {}

    def judged(self, row: ParsedRow) -> ParsedRow:
        """Return the row without numbers already told, or with the problem that it tells others."""
        if row.problems:
            return row
        key = _digest(normalized_keyword(row.keyword))
        told = _digest(repr(sorted(row.metrics.items())))
        number, first = self._first.setdefault(key, (row.number, told))
        if number == row.number:
            return row
        if row.metrics and first != told:
            message = f"row {number} tells other numbers of the same keyword"
            return _refused(row, Problem(column="", code="conflicting_duplicate", message=message))
        if row.rank is None:
            message = f"row {number} says the same"
            return _refused(row, Problem(column="", code="duplicate_row", message=message))
        return _repeated(row)


def apply(context: Context, rows: Sequence[ParsedRow], columns: Columns, source: Source) -> Applied:
    """Store rows and tell what became of them. Told again, the same rows change nothing.

    Args:
        context: Tenant and clients.
        rows: A few hundred at most, judged by ``Repetitions``.
        columns: Names of the columns, for the reasons.
        source: What the rows have in common.
    """
    applied = Applied(refused=[(row, row.problems) for row in rows if row.problems])
    good = [row for row in rows if not row.problems]
    told = [row for row in good if not row.repeated]
    stored = _by_row(told, keywords.upsert(context, [_keyword_row(row, source) for row in told]).rows if told else [])
    ranked = [row for row in good if row.rank is not None and not _is_refused(stored.get(row.number))]
    rank_rows = [_rank_row(row, source) for row in ranked]
    observed = _by_row(ranked, ranks.record(context, rank_rows, create_missing=True).rows if ranked else [])
    for row in good:
        results = [result for result in (stored.get(row.number), observed.get(row.number)) if result is not None]
        problems = [_problem(result, columns) for result in results if result.problem is not None]
        if problems:
            applied.refused.append((row, problems))
        else:
            applied.outcomes[_outcome(row, results)] += 1
    applied.refused.sort(key=lambda refused: refused[0].number)
    return applied


def _keyword_row(row: ParsedRow, source: Source) -> dict[str, Any]:
    return {"keyword": row.keyword, **row.metrics, "source": source.name, "as_of": source.as_of}


def _rank_row(row: ParsedRow, source: Source) -> dict[str, Any]:
    rank = dict(row.rank or {})
    moment = {"checked_at": source.as_of} if rank["date"] == source.day else {}
    return {"keyword": row.keyword, **rank, **moment, "source": source.rank_name}


def _outcome(row: ParsedRow, results: Iterable[RowResult[Any]]) -> Outcome:
    outcomes = [result.outcome for result in results]
    if outcomes[0] == "created" and not row.repeated:
        return "created"
    return "unchanged" if set(outcomes) == {"unchanged"} else "updated"


def _problem(result: RowResult[Any], columns: Columns) -> Problem:
    assert result.problem is not None
    name = result.problem.pointer.rpartition("/")[2]
    column = columns.names.get(FIELD_OF.get(name, name), "")
    return Problem(column=column, code=result.problem.code, message=result.problem.detail)


def _by_row(rows: Sequence[ParsedRow], results: Sequence[RowResult[Any]]) -> Mapping[int, RowResult[Any]]:
    return {rows[result.index].number: result for result in results}


def _is_refused(result: RowResult[Any] | None) -> bool:
    return result is not None and result.problem is not None


def _refused(row: ParsedRow, problem: Problem) -> ParsedRow:
    return ParsedRow(number=row.number, cells=row.cells, keyword=row.keyword, problems=(problem,))


def _repeated(row: ParsedRow) -> ParsedRow:
    return ParsedRow(number=row.number, cells=row.cells, keyword=row.keyword, rank=row.rank, repeated=True)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=12).digest()
