"""What a file of keywords says, whatever its format: the parsed row with its problems, and the header's columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, TypeVar

from common.aso.imports.cells import CellProblem
from common.aso.imports.reader import Row
from common.errors import Unprocessable

Value = TypeVar("Value")
Format = Literal["search_console", "csv"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing wrong with one row.

    Attributes:
        column: Name of the column as the file writes it; empty where it is the row as a whole.
        code: Stable snake_case reason.
        message: One sentence for a person.
    """

    column: str
    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedRow:
    """One row of a file.

    Attributes:
        number: 1-based line of the file at which it begins.
        cells: As written.
        keyword: The keyword; empty where it cannot be read.
        metrics: Fields of the keyword that the row tells, by name of the model's field.
        rank: Fields of a rank observation, or None where the row tells no rank.
        problems: What is wrong; a row with any is not imported.
        repeated: Whether an earlier row of the file has the same keyword and has told its numbers.
    """

    number: int
    cells: tuple[str, ...]
    keyword: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    rank: Mapping[str, Any] | None = None
    problems: tuple[Problem, ...] = ()
    repeated: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What a file does not say about itself.

    Attributes:
        as_of: Day that rows without a day of their own stand for: the last day of the range given with the upload, or
            the day of the upload.
        days: Days the file covers, where the caller said so.
        latest: Last day a row may name.
    """

    as_of: date
    days: int | None
    latest: date


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """Where the known columns of a header are.

    Attributes:
        positions: Name of the field to the index of its column.
        names: Name of the field to the column's name as written.
        ignored: Columns nobody knows.
    """

    positions: Mapping[str, int]
    names: Mapping[str, str]
    ignored: tuple[str, ...]


def folded(name: str) -> str:
    """Return a column name as it is compared: ``Search_Volume``, ``search volume`` and ``SEARCH-VOLUME`` are one."""
    return re.sub(r"[\s_\-.:()%]+", " ", name.casefold()).strip()


def columns_of(header: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> Columns:
    """Find the known columns of a header.

    Args:
        header: Column names as written.
        aliases: Field to the folded names it may have.

    Raises:
        Unprocessable: ``duplicate_columns``: two columns mean the same field, or have the same name.
    """
    fields = {alias: name for name, names in aliases.items() for alias in names}
    positions: dict[str, int] = {}
    ignored: list[str] = []
    for position, written in enumerate(header):
        name = fields.get(folded(written))
        repeated = header.index(written) != position and bool(written)
        if repeated or (name is not None and name in positions):
            other = written if repeated or name is None else header[positions[name]]
            detail = f"the columns {other!r} and {written!r} say the same; keep one of them"
            raise Unprocessable("duplicate_columns", detail, details={"columns": [other, written]})
        if name is None:
            ignored.append(written)
        else:
            positions[name] = position
    return Columns(
        positions=positions,
        names={name: header[position] for name, position in positions.items()},
        ignored=tuple(ignored),
    )


class RowReader:
    """Reads the cells of one row by field and collects what is wrong with them.

    Args:
        row: The row.
        columns: Where the fields are.
        width: Columns of the header.
    """

    def __init__(self, row: Row, columns: Columns, width: int) -> None:
        self._row = row
        self._columns = columns
        self.problems: list[Problem] = []
        extra = [cell for cell in row.cells[width:] if cell.strip()]
        if row.unreadable is not None:
            self.problem("", "unreadable_row", f"the row cannot be read: {row.unreadable}")
        elif extra:
            message = f"{len(row.cells)} cells under {width} columns; is a delimiter not quoted?"
            self.problem("", "too_many_cells", message)

    def problem(self, name: str, code: str, message: str) -> None:
        """Note something wrong with a field."""
        self.problems.append(Problem(column=self._columns.names.get(name, name), code=code, message=message))

    def cell(self, name: str) -> str:
        """Return the cell of a field; empty where there is none."""
        position = self._columns.positions.get(name)
        return "" if position is None or position >= len(self._row.cells) else self._row.cells[position]

    def read(self, name: str, parse: Callable[[str], Value]) -> Value | None:
        """Return the parsed cell of a field, or None where it is empty or wrong."""
        try:
            return parse(self.cell(name))
        except CellProblem as problem:
            self.problem(name, problem.code, str(problem))
            return None

    def parsed(self, keyword: str | None, metrics: Mapping[str, Any], rank: Mapping[str, Any] | None) -> ParsedRow:
        """Return the row with what was read and what was wrong."""
        return ParsedRow(
            number=self._row.number,
            cells=self._row.cells,
            keyword=keyword or "",
            metrics={name: value for name, value in metrics.items() if value is not None},
            rank=rank,
            problems=tuple(self.problems),
        )
