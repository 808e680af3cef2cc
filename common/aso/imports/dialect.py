"""What a module about one tool's exports offers: how to recognise them, and how to read their rows.

A dialect looks at the first records of a file, split at one delimiter, and returns a ``Match`` where it finds a header
it knows. The match with the greatest confidence wins; confidence is a rule of thumb with reasons, not a probability:

====  ==========================================================================================================
0.98  the header or the lines above it hold what only this tool writes
0.90  every column that the table needs has a name of this tool's, and nothing else claims it
0.80  the names are unknown, the cells prove the columns
0.60  the cells fit, and could be something else too
0.50  a table with a keyword, of nobody in particular
====  ==========================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from common.aso.imports.reader import Row
from common.aso.imports.table import Circumstances, Columns, Format, Kind, ParsedRow, RowReader

CERTAIN = 0.98
NAMED = 0.9
PROVED = 0.8
POSSIBLE = 0.6
PLAIN = 0.5

LOOKED_AT = 30
"""Records among which the header is sought."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """A header that a dialect knows.

    Attributes:
        format: The tool.
        table: Which of its tables, such as ``queries``.
        title: What the file looks like, as a phrase: ``a Semrush Organic Research export``.
        confidence: See the module.
        reasons: Why, as phrases.
        header: The record with the column names.
        columns: Where the fields are.
        language: Of the header, such as ``de``; None where it is unknown.
        told: What the lines above the header told; JSON values.
        missing: Why this table cannot be imported although it is recognised, or None.
    """

    format: Format
    table: str
    title: str
    confidence: float
    reasons: tuple[str, ...]
    header: Row
    columns: Columns
    language: str | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    missing: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """One tool's exports.

    Attributes:
        format: The tool, as callers name it.
        title: Its name.
        kinds: How the cells of each field are read; fields of a pattern by what the name begins with.
        match: Looks for a header among the first records.
        parse: Reads one row.
        needs: What a header of this tool has, for the refusal of another.
    """

    format: Format
    title: str
    kinds: Mapping[str, Kind]
    match: Callable[[Sequence[Row]], Match | None]
    parse: Callable[[RowReader, Circumstances], ParsedRow]
    needs: str


def header_of(row: Row) -> tuple[str, ...]:
    """Return the cells of a header, stripped, without empty ones at the end."""
    cells = tuple(cell.strip() for cell in row.cells)
    while cells and not cells[-1]:
        cells = cells[:-1]
    return cells


def kind_of(kinds: Mapping[str, Kind], name: str) -> Kind:
    """Return how a field is read; ``rank 2026-01-31`` is read like ``rank``."""
    return kinds.get(name) or kinds.get(name.partition(" ")[0], "word")
