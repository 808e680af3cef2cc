"""Bring parsed rows into keywords, rank observations and search performance, with what became of each row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import ValidationError

from common.answers import RowResult
from common.aso import keywords, ranks
from common.aso.changes import Watch
from common.aso.imports.table import ParsedRow, Problem
from common.aso.performance import record as performance
from common.aso.performance.models import PerformanceRow
from common.context import Context

Outcome = Literal["created", "updated", "unchanged", "recorded"]
Results = dict[int, list[RowResult[Any]]]

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
        import_id: The import they belong to.
        name: Provenance of their numbers.
        rank_name: Source of their rank observations.
        as_of: Moment that numbers without a time of their own are of.
        day: Day of that moment, for ranks without a day.
        watch: Is told what each transaction changes.
    """

    import_id: str
    name: str
    rank_name: str
    as_of: datetime
    day: str
    watch: Watch | None = None


@dataclass(slots=True)
class Applied:
    """What became of some rows.

    Attributes:
        outcomes: How often each outcome came about.
        refused: Rows that were not taken, with the reasons.
    """

    outcomes: dict[Outcome, int] = field(
        default_factory=lambda: {"created": 0, "updated": 0, "unchanged": 0, "recorded": 0}
    )
    refused: list[tuple[ParsedRow, Sequence[Problem]]] = field(default_factory=list)


def apply(context: Context, rows: Sequence[ParsedRow], names: Mapping[str, str], source: Source) -> Applied:
    """Store rows and tell what became of them. Told again, the same rows change nothing.

    Args:
        context: Tenant and clients.
        rows: A few hundred ranks at most, or some thousand rows of search performance; judged against each other.
        names: Names of the columns by field, for the reasons.
        source: What the rows have in common.
    """
    applied = Applied(refused=[(row, row.problems) for row in rows if row.problems])
    good = [row for row in rows if not row.problems]
    followed = [row for row in good if row.keyword and (row.metrics or row.ranks or not row.facts)]
    told = [row for row in followed if not row.repeated]
    results: Results = {}
    if told:
        stored = keywords.upsert(context, [_keyword_row(row, source) for row in told], source.watch)
        _collect(results, [row.number for row in told], stored.rows)
    ranked = [(row, rank) for row in followed if not _is_refused(results.get(row.number)) for rank in row.ranks]
    if ranked:
        made = [_rank_row(row, rank, source) for row, rank in ranked]
        observed = ranks.record(context, made, create_missing=True, watch=source.watch)
        _collect(results, [row.number for row, _ in ranked], observed.rows)
    _performance(context, good, applied, source)
    refused = {row.number for row, _ in applied.refused}
    for row in followed:
        own = results.get(row.number, [])
        problems = [_problem(result, names) for result in own if result.problem is not None]
        if problems:
            applied.refused.append((row, problems))
        elif row.number not in refused:
            applied.outcomes[_outcome(row, own)] += 1
    applied.refused.sort(key=lambda refused: refused[0].number)
    return applied


def _performance(context: Context, rows: Iterable[ParsedRow], applied: Applied, source: Source) -> None:
    """Record the search performance that rows tell, alone or beside a keyword."""
    found = []
    for row in rows:
        try:
            found += [PerformanceRow(**fact, source=source.name) for fact in row.facts]
        except ValidationError as error:
            message = error.errors(include_url=False, include_context=False, include_input=False)[0]["msg"]
            applied.refused.append((row, (Problem(column="", code="invalid_value", message=message),)))
            continue
        if row.facts and not row.metrics:
            applied.outcomes["recorded"] += 1
    if found:
        performance.record(context, found, source.import_id)


def _keyword_row(row: ParsedRow, source: Source) -> dict[str, Any]:
    name = f"{source.name}.{row.source}" if row.source else source.name
    return {"keyword": row.keyword, **row.metrics, "source": name, "as_of": source.as_of}


def _rank_row(row: ParsedRow, rank: Mapping[str, Any], source: Source) -> dict[str, Any]:
    moment = {"checked_at": source.as_of} if rank["date"] == source.day else {}
    return {"keyword": row.keyword, **rank, **moment, "source": source.rank_name}


def _outcome(row: ParsedRow, results: Sequence[RowResult[Any]]) -> Outcome:
    outcomes = [result.outcome for result in results]
    if outcomes[:1] == ["created"] and not row.repeated:
        return "created"
    return "unchanged" if set(outcomes) <= {"unchanged"} else "updated"


def _problem(result: RowResult[Any], names: Mapping[str, str]) -> Problem:
    assert result.problem is not None
    name = result.problem.pointer.rpartition("/")[2]
    column = names.get(FIELD_OF.get(name, name), "")
    return Problem(column=column, code=result.problem.code, message=result.problem.detail)


def _collect(results: Results, numbers: Sequence[int], answers: Iterable[RowResult[Any]]) -> None:
    for answer in answers:
        results.setdefault(numbers[answer.index], []).append(answer)


def _is_refused(results: Sequence[RowResult[Any]] | None) -> bool:
    return any(result.problem is not None for result in results or ())
