"""Show how a file would be imported, by the steps of the import itself; nothing is stored."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from common.aso.imports.asked import (
    as_of_of,
    check_days,
    check_range,
    circumstances_of,
    day_of,
    encoding_of,
    mapping_of,
)
from common.aso.imports.dialect import Match, header_of
from common.aso.imports.models import ImportQuery, Likeness, MappedColumn, Preview, PreviewProblem, PreviewRow
from common.aso.imports.plan import Plan, Warned, planned
from common.aso.imports.reader import Text, text_of
from common.aso.imports.recognise import Looked, chosen, looked_at
from common.aso.imports.rows import parsed_rows
from common.aso.imports.table import ParsedRow
from common.errors import Unprocessable
from common.uploaded_form import file_of
from common.uploads import Upload

SAMPLE = 1_000
"""Rows that are parsed to find problems."""
SHOWN = 10
MOST_PROBLEMS = 100
EXAMPLES = 3
LONGEST_EXAMPLE = 100


def preview(upload: Upload, query: ImportQuery, hosts: Sequence[str] = ()) -> Preview:
    """Return what a file is recognised as, how its columns would be taken, and what its first rows become.

    What the import would refuse as a whole is told as ``refusal``, as long as the file is a text table.

    Args:
        upload: The file, or a form with it.
        query: How to read it, as for the import.
        hosts: The tenant's own.

    Raises:
        BadRequest: ``malformed_form``.
        UnsupportedMediaType: ``unsupported_file_type``.
        Unprocessable: ``empty_file``, ``unsupported_encoding``, ``missing_header``, ``too_many_rows``,
            ``too_many_columns``, ``invalid_range`` or ``invalid_mapping``.
    """
    now = datetime.now(UTC)
    check_range(query, now.date())
    mapping = mapping_of(query)
    content = file_of(upload).content
    text = text_of(content, encoding_of(query))
    looked = looked_at(content, text)
    refusal: Unprocessable | None = None
    try:
        delimiter, match = chosen(looked, query.format, mapping)
    except Unprocessable as error:
        if error.code == "invalid_mapping" or not looked.matches:
            if error.code == "invalid_mapping":
                raise
            return _unrecognised(text, looked, error)
        refusal, (delimiter, match) = error, looked.matches[0]
    plan = planned(content, text, delimiter, match)
    if refusal is None:
        try:
            check_days(plan, query)
        except Unprocessable as error:
            refusal = error
    as_of, basis = as_of_of(plan, query, now)
    circumstances = circumstances_of(as_of, query.from_, query.to, now.date(), hosts)
    rows = list(itertools.islice(parsed_rows(io.BytesIO(content), plan, circumstances), SAMPLE))
    shown = _shown(plan, match, looked, rows)
    changes = {"as_of": day_of(as_of), "as_of_basis": basis, "refusal": None if refusal is None else _refusal(refusal)}
    return shown.model_copy(update=changes)


def _shown(plan: Plan, match: Match, looked: Looked, rows: list[ParsedRow]) -> Preview:
    problems = [problem for row in rows for problem in _problems(row)]
    return Preview(
        recognised=_likeness(match),
        others=[_likeness(other) for _, other in looked.matches if other.format != match.format],
        encoding=plan.encoding,
        delimiter=plan.delimiter,
        header_row=plan.header_row,
        columns=_columns(plan, rows),
        ignored_columns=plan.ignored,
        rows=[_row(row) for row in rows[:SHOWN]],
        problems=problems[:MOST_PROBLEMS],
        warnings=[*plan.warnings, *_foreign(rows)],
        sampled_rows=len(rows),
        estimated_rows=plan.rows,
    )


def _foreign(rows: Sequence[ParsedRow]) -> list[Warned]:
    """Return the warning that ranks are not the tenant's, where they are not."""
    foreign = sum(row.foreign for row in rows)
    if not foreign:
        return []
    message = f"{foreign} of {len(rows)} rows are about pages on none of your hosts; their ranks are not taken."
    return [Warned(code="other_site", message=message)]


def _unrecognised(text: Text, looked: Looked, refusal: Unprocessable) -> Preview:
    """Return what can be told of a file without a known header: its columns, for a mapping."""
    below = [row for row in looked.head if not row.blank and header_of(row) != looked.header]
    columns = [
        MappedColumn(
            column=name, index=index, field=None, examples=_examples(each.cells[index : index + 1] for each in below)
        )
        for index, name in enumerate(looked.header)
    ]
    header = next((row.number for row in looked.head if header_of(row) == looked.header), None)
    return Preview(
        recognised=None,
        others=[],
        refusal=_refusal(refusal),
        encoding=text.encoding,
        delimiter=looked.delimiter,
        header_row=header,
        columns=columns,
        ignored_columns=list(looked.header),
        rows=[],
        problems=[],
        warnings=[],
        sampled_rows=0,
        estimated_rows=0,
    )


def _columns(plan: Plan, rows: list[ParsedRow]) -> list[MappedColumn]:
    fields = {index: name for name, index in plan.columns.items()}
    found = []
    for index, column in enumerate(plan.header):
        name = fields.get(index)
        found.append(
            MappedColumn(
                column=column,
                index=index,
                field=name,
                basis=None if name is None else plan.bases.get(name),
                decimal=None if name is None else plan.marks.get(name),
                evidence=None if name is None else plan.evidence.get(name),
                examples=_examples(row.cells[index : index + 1] for row in rows),
            )
        )
    return found


def _examples(cells: Any) -> list[str]:
    written = (cell[0].strip()[:LONGEST_EXAMPLE] for cell in cells if cell and cell[0].strip())
    return list(itertools.islice(written, EXAMPLES))


def _row(row: ParsedRow) -> PreviewRow:
    return PreviewRow(
        row_number=row.number,
        keyword=row.keyword or None,
        metrics=dict(row.metrics),
        ranks=[dict(rank) for rank in row.ranks[:SHOWN]],
        performance=[dict(fact) for fact in row.facts],
        problems=_problems(row),
    )


def _problems(row: ParsedRow) -> list[PreviewProblem]:
    return [
        PreviewProblem(row_number=row.number, column=each.column, code=each.code, message=each.message)
        for each in row.problems
    ]


def _likeness(match: Match) -> Likeness:
    return Likeness(
        format=match.format,
        table=match.table,
        title=match.title,
        confidence=match.confidence,
        reasons=list(match.reasons),
    )


def _refusal(error: Unprocessable) -> PreviewProblem:
    return PreviewProblem(row_number=0, column="", code=error.code, message=error.detail)
