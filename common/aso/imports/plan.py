"""The plan of an import: all that is decided about a file before its rows are read, shown as preview, kept in the job.

The preview and the import make their plans by the same steps, so what is shown is what happens. A plan is made from the
whole file: it is decoded, its rows are counted, and the first ``EVIDENCE_ROWS`` of them are the sample by which the
decimal marks are decided. A later cell that contradicts the decision is refused by its row, never read another way.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ConfigDict, Field

from common.aso.imports.cells import Mark
from common.aso.imports.dialect import Match, header_of
from common.aso.imports.marks import Decision, Votes, decided
from common.aso.imports.reader import EncodingName, Row, Text, ends_within, rows_of, text_of
from common.aso.imports.recognise import Mapped, chosen, looked_at, pattern_kind
from common.aso.imports.table import DECIMAL_KINDS, WHOLE_KINDS, Basis, Columns, Format, Reading
from common.errors import Unprocessable
from common.model import Model

EVIDENCE_ROWS = 20_000
"""Rows by which decimal marks are decided."""
MOST_ROWS = 500_000
"""Rows of one import. At a few hundred rows a second more would run for most of an hour; the file is to be split."""
MOST_COLUMNS = 2_000
LONGEST_HEADER = 150_000
"""Bytes of all column names; they are kept with the job and with the import."""
RETURNED = ("row_number", "errors")
"""The last columns of the list of refused rows that a job keeps."""


class Warned(Model):
    """Something to know about a file that stops nothing."""

    code: str = Field(examples=["encoding_fallback"])
    message: str = Field(examples=["The file is not UTF-8; it is read as Windows-1252."])


class Plan(Model):
    """How a file is read."""

    model_config = ConfigDict(str_strip_whitespace=False)  # a tab is a delimiter

    format: Format
    table: str
    title: str
    confidence: float
    reasons: list[str]
    language: str | None = None
    told: dict[str, Any] = Field(default_factory=dict)
    encoding: str
    length: int
    delimiter: str
    header_row: int
    header: list[str]
    columns: dict[str, int]
    bases: dict[str, Basis]
    marks: dict[str, Mark] = Field(default_factory=dict)
    evidence: dict[str, str] = Field(default_factory=dict)
    cut_row: int | None = None
    rows: int
    warnings: list[Warned] = Field(default_factory=list)

    @property
    def text(self) -> Text:
        """How the bytes become text."""
        return Text(encoding=self.encoding, length=self.length)

    @property
    def returned(self) -> bool:
        """Whether the file is a list of refused rows that comes back corrected."""
        return tuple(self.header[-2:]) == RETURNED

    @property
    def ignored(self) -> list[str]:
        """Columns that nothing is taken from."""
        used = set(self.columns.values())
        return [
            name
            for at, name in enumerate(self.header)
            if at not in used and not (self.returned and at >= len(self.header) - 2)
        ]

    def reading(self) -> Reading:
        """Return what rows are read by."""
        names = {name: self.header[position] for name, position in self.columns.items()}
        return Reading(
            table=self.table,
            columns=Columns(positions=self.columns, names=names, bases=self.bases),
            width=len(self.header),
            marks=self.marks,
            told=self.told,
            cut_row=self.cut_row,
            returned=self.returned,
        )


@dataclass(slots=True)
class Survey:
    """What one pass over a file found.

    Attributes:
        rows: How many rows there are; ``MOST_ROWS`` + 1 where there are more.
        votes: What the cells of each column prove about decimal marks.
        last: The last row.
        shortest: Cells of the shortest row but the last.
    """

    rows: int = 0
    votes: dict[str, Votes] = field(default_factory=dict)
    last: Row | None = None
    shortest: int = 0


def plan_of(content: bytes, wanted: str, mapping: Mapped, encoding: EncodingName | None) -> Plan:
    """Make the plan of a file.

    Args:
        content: The file.
        wanted: The tool that the caller names, or ``auto``.
        mapping: The caller's word on columns.
        encoding: The caller's word on the encoding.

    Raises:
        UnsupportedMediaType: ``unsupported_file_type``.
        Unprocessable: ``empty_file``, ``unsupported_encoding``, ``missing_header``, ``unknown_format``,
            ``wrong_format``, ``unsupported_table``, ``duplicate_columns``, ``invalid_mapping``, ``too_many_columns`` or
            ``too_many_rows``.
    """
    text = text_of(content, encoding)
    delimiter, match = chosen(looked_at(content, text), wanted, mapping)
    return planned(content, text, delimiter, match)


def planned(content: bytes, text: Text, delimiter: str, match: Match) -> Plan:
    """Make the plan of a file whose header is known; see ``plan_of``."""
    header = header_of(match.header)
    size = sum(len(name.encode("utf-8", "surrogatepass")) for name in header)
    if len(header) > MOST_COLUMNS or size > LONGEST_HEADER:
        detail = f"{len(header)} columns of {size} bytes; {MOST_COLUMNS} and {LONGEST_HEADER} at most"
        raise Unprocessable("too_many_columns", detail)
    survey = _surveyed(content, text, delimiter, match)
    if survey.rows == 0 or survey.last is None:
        raise Unprocessable("empty_file", "the file has column names and no row")
    if survey.rows > MOST_ROWS:
        detail = f"the file has more than {MOST_ROWS} rows; split it and import the parts one by one"
        raise Unprocessable("too_many_rows", detail, details={"most": MOST_ROWS})
    usual = survey.shortest if survey.rows > 1 else len(header)
    cut = ends_within(content, text, delimiter, survey.last, usual)
    decisions = decided(survey.votes, delimiter, match.language)
    return Plan(
        format=match.format,
        table=match.table,
        title=match.title,
        confidence=match.confidence,
        reasons=list(match.reasons),
        language=match.language,
        told=dict(match.told),
        encoding=text.encoding,
        length=text.length,
        delimiter=delimiter,
        header_row=match.header.number,
        header=list(header),
        columns=dict(match.columns.positions),
        bases=dict(match.columns.bases),
        marks={name: decision.mark for name, decision in decisions.items()},
        evidence={name: decision.evidence for name, decision in decisions.items()},
        cut_row=survey.last.number if cut else None,
        rows=survey.rows,
        warnings=_warnings(text, match, decisions, survey.last.number if cut else None),
    )


def _surveyed(content: bytes, text: Text, delimiter: str, match: Match) -> Survey:
    kinds = {name: pattern_kind(match, name) for name in match.columns.positions}
    survey = Survey(
        votes={
            name: Votes(whole=kind in WHOLE_KINDS)
            for name, kind in kinds.items()
            if kind in WHOLE_KINDS | DECIMAL_KINDS
        }
    )
    voting = [(match.columns.positions[name], votes) for name, votes in survey.votes.items()]
    for row in rows_of(io.BytesIO(content), text, delimiter, match.header.number):
        if survey.last is not None and survey.last.unreadable is None:
            survey.shortest = min(survey.shortest or len(survey.last.cells), len(survey.last.cells))
        survey.rows += 1
        survey.last = row
        if survey.rows > MOST_ROWS:
            break
        if survey.rows <= EVIDENCE_ROWS:
            for position, votes in voting:
                if position < len(row.cells):
                    votes.add(row.cells[position])
    return survey


def _warnings(text: Text, match: Match, decisions: Mapping[str, Decision], cut_row: int | None) -> list[Warned]:
    found = []
    if text.fallback:
        message = "The file is not UTF-8; it is read as Windows-1252. Letters with accents show whether that is right."
        found.append(Warned(code="encoding_fallback", message=message))
    for name in dict.fromkeys(one for field_, one, _ in match.columns.repeated if not field_):
        message = f"Several ignored columns are named {name[:100]!r}."
        found.append(Warned(code="repeated_column_name", message=message))
    for name, decision in decisions.items():
        if decision.mark == "mixed":
            message = f"{match.columns.names[name][:100]!r}: {decision.evidence}; cells like '1.234' are refused."
            found.append(Warned(code="mixed_decimal_marks", message=message))
    if cut_row is not None:
        message = f"The file ends within its last row, at line {cut_row}; that row is refused. Is it half a file?"
        found.append(Warned(code="truncated_file", message=message))
    return found
