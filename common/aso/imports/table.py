"""What a table says, whatever tool wrote it: how it is read, and the parsed row with what is wrong with it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, TypeVar

from common.aso.imports import cells
from common.aso.imports.cells import CellProblem, Mark
from common.aso.imports.reader import Row
from common.hosts import is_within
from common.spreadsheets import harmless

Value = TypeVar("Value")
Format = Literal["search_console", "semrush", "ahrefs", "keyword_planner", "csv"]
Kind = Literal["phrase", "whole", "decimal", "share", "volume", "position", "day", "address", "word"]
"""How the cells of a field are read."""
Basis = Literal["name", "pattern", "evidence", "mapping"]
"""Why a column is taken for a field: its name, the pattern of its name, what its cells hold, or the caller's word."""

LONGEST_KEYWORD = 400
LONGEST_URL = 2048
UNDETERMINED_LOCALE = "und"
WHOLE_KINDS: frozenset[Kind] = frozenset({"whole", "volume"})
DECIMAL_KINDS: frozenset[Kind] = frozenset({"decimal", "share", "position"})


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


@dataclass(kw_only=True, slots=True)
class ParsedRow:
    """One row of a file.

    Attributes:
        number: 1-based line of the file at which it begins.
        cells: As written.
        keyword: The keyword; empty where the row is not about one, or it cannot be read.
        metrics: Fields of the keyword that the row tells, by name of the model's field.
        ranks: Fields of rank observations.
        facts: Fields of search performance.
        totals: Whole numbers by which a row of totals is known.
        source: Suffix of the source of the numbers, such as ``range``; empty for none.
        problems: What is wrong; a row with any is not imported.
        repeated: Whether an earlier row of the file has the same keyword and has told its numbers.
        foreign: Whether the row tells a rank of somebody else's page, which is not taken.
    """

    number: int
    cells: tuple[str, ...]
    keyword: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    ranks: tuple[Mapping[str, Any], ...] = ()
    facts: tuple[Mapping[str, Any], ...] = ()
    totals: tuple[int | None, ...] = ()
    source: str = ""
    problems: tuple[Problem, ...] = ()
    repeated: bool = False
    foreign: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Circumstances:
    """What a file does not say about itself.

    Attributes:
        as_of: Day that rows without a day of their own stand for: the last day of the range given with the upload, or
            the day of the upload.
        days: Days the file covers, where the caller said so.
        latest: Last day a row may name.
        first: First day the file covers, where the caller said so.
        hosts: The tenant's own hosts; empty where nobody said which they are.
    """

    as_of: date
    days: int | None
    latest: date
    first: date | None = None
    hosts: tuple[str, ...] = ()

    def is_foreign(self, address: str | None) -> bool:
        """Return whether an address is known to be on somebody else's host."""
        return bool(self.hosts and address) and not is_within(address or "", self.hosts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """Where the known columns of a header are.

    Attributes:
        positions: Name of the field to the index of its column.
        names: Name of the field to the column's name as written.
        bases: Name of the field to why its column is taken for it.
        repeated: Columns that say the same as another one: the field (empty for an unknown column of the same name)
            and the names of both.
    """

    positions: Mapping[str, int]
    names: Mapping[str, str]
    bases: Mapping[str, Basis] = field(default_factory=dict)
    repeated: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How the rows of one file are read.

    Attributes:
        table: Which table of its tool it is, such as ``queries``.
        columns: Where the fields are.
        width: Columns of the header.
        marks: What stands before fractions, by field of decimals.
        told: What the lines above the header told.
        cut_row: Line of the last row, where the file ends within it.
        returned: Whether the file is our own list of refused rows, whose guarded cells are set free again.
    """

    table: str
    columns: Columns
    width: int
    marks: Mapping[str, Mark] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)
    cut_row: int | None = None
    returned: bool = False


def folded(name: str) -> str:
    """Return a column name as it is compared: ``Search_Volume``, ``search volume`` and ``SEARCH-VOLUME`` are one."""
    return re.sub(r"[\s_\-.:()%'\u2019]+", " ", unicodedata.normalize("NFKC", name).casefold()).strip()


def columns_of(
    header: Sequence[str],
    aliases: Mapping[str, Iterable[str]],
    pattern: Callable[[str], str | None] = lambda _: None,
) -> Columns:
    """Find the known columns of a header. Of columns that say the same, the first counts.

    Args:
        header: Column names as written.
        aliases: Field to the folded names it may have.
        pattern: Returns the field of a name that follows a pattern, or None.
    """
    fields = {alias: name for name, names in aliases.items() for alias in names}
    positions: dict[str, int] = {}
    bases: dict[str, Basis] = {}
    repeated: list[tuple[str, str, str]] = []
    for position, written in enumerate(header):
        name = fields.get(folded(written))
        basis: Basis = "name"
        if name is None:
            name, basis = pattern(written), "pattern"
        if name is not None and name in positions:
            repeated.append((name, header[positions[name]], written))
        elif name is not None:
            positions[name], bases[name] = position, basis
        elif written and header.index(written) != position:
            repeated.append(("", written, written))
    names = {name: header[position] for name, position in positions.items()}
    return Columns(positions=positions, names=names, bases=bases, repeated=tuple(repeated))


class RowReader:
    """Reads the cells of one row by field and collects what is wrong with them.

    Args:
        row: The row.
        reading: How the file is read.
    """

    __slots__ = ("_cells", "_positions", "problems", "reading", "row")

    def __init__(self, row: Row, reading: Reading) -> None:
        self.row = row
        self.reading = reading
        self.problems: list[Problem] = []
        self._positions = reading.columns.positions
        self._cells = row.cells
        width = reading.width
        if row.unreadable is not None:
            self.problem("", "unreadable_row", f"the row cannot be read: {row.unreadable}")
        elif row.number == reading.cut_row:
            self.problem("", "truncated_row", "the file ends within this row; export it again")
        elif len(row.cells) > width and any(cell.strip() for cell in row.cells[width:]):
            message = f"{len(row.cells)} cells under {width} columns; is a delimiter not quoted?"
            self.problem("", "too_many_cells", message)
        if reading.returned:
            self._cells = tuple(_free(cell) for cell in row.cells)

    def problem(self, name: str, code: str, message: str) -> None:
        """Note something wrong with a field."""
        self.problems.append(Problem(column=self.reading.columns.names.get(name, name), code=code, message=message))

    def has(self, name: str) -> bool:
        """Return whether the file has a column of a field."""
        return name in self._positions

    def cell(self, name: str) -> str:
        """Return the cell of a field; empty where there is none."""
        position = self._positions.get(name)
        return "" if position is None or position >= len(self._cells) else self._cells[position]

    def read(self, name: str, parse: Callable[..., Value], **bounds: Any) -> Value | None:
        """Return the parsed cell of a field, or None where it is empty or wrong."""
        position = self._positions.get(name)
        if position is None:
            return None
        try:
            return parse(self._cells[position] if position < len(self._cells) else "", **bounds)
        except CellProblem as problem:
            self.problem(name, problem.code, str(problem))
            return None

    def keyword(self) -> str | None:
        """Return the keyword."""
        return self.read("keyword", cells.phrase, most=LONGEST_KEYWORD)

    def whole(self, name: str) -> int | None:
        """Return a whole number."""
        return self.read(name, cells.whole)

    def decimal(self, name: str, *, least: float, most: float) -> float | None:
        """Return a decimal."""
        return self.read(name, cells.decimal, least=least, most=most, mark=self.mark(name))

    def share(self, name: str) -> float | None:
        """Return a share of one."""
        return self.read(name, cells.share, mark=self.mark(name))

    def position(self, name: str) -> tuple[float | None, int | None] | None:
        """Return position and depth."""
        return self.read(name, cells.position, mark=self.mark(name))

    def day(self, name: str, latest: date) -> str | None:
        """Return a day."""
        return self.read(name, cells.day, latest=latest)

    def address(self, name: str) -> str | None:
        """Return an address."""
        return self.read(name, cells.address, most=LONGEST_URL)

    def mark(self, name: str) -> Mark:
        """Return what stands before the fractions of a field."""
        return self.reading.marks.get(name, "point")

    def parsed(
        self,
        keyword: str | None = None,
        metrics: Mapping[str, Any] | None = None,
        ranks: Iterable[Mapping[str, Any] | None] = (),
        facts: Iterable[Mapping[str, Any]] = (),
        totals: tuple[int | None, ...] = (),
        source: str = "",
        foreign: bool = False,
    ) -> ParsedRow:
        """Return the row with what was read and what was wrong."""
        return ParsedRow(
            number=self.row.number,
            cells=self.row.cells,
            keyword=keyword or "",
            metrics={name: value for name, value in (metrics or {}).items() if value is not None},
            ranks=tuple(rank for rank in ranks if rank is not None),
            facts=tuple(facts),
            totals=totals,
            source=source,
            foreign=foreign,
            problems=tuple(self.problems),
        )


def rank_of(found: tuple[float | None, int | None] | None, day: str, **more: Any) -> dict[str, Any] | None:
    """Return the fields of an observation, or None where there is none.

    Args:
        found: Position and depth, as ``cells.position`` reads them.
        day: Day of the rank.
        more: Device, locale, address and what else differs from the default.
    """
    if found is None:
        return None
    place, depth = found
    rank = {
        "state": "ranked" if depth is None else "not_found",
        "position": place,
        "depth": depth,
        "date": day,
        "device": "all",
        "locale": UNDETERMINED_LOCALE,
        "url": None,
        "impressions": None,
        "clicks": None,
    }
    given = {name: value for name, value in more.items() if value is not None}
    if depth is not None:
        given.pop("url", None)
    return rank | given


def _free(cell: str) -> str:
    """Take away the apostrophe by which our list of refused rows guards a cell against spreadsheets."""
    return cell[1:] if cell[:1] == "'" and harmless(cell[1:]) == cell else cell
