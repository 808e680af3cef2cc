"""The rows that were not imported, as a CSV file to correct and upload again: the original columns, then why not."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from common.aso.imports.table import ParsedRow, Problem

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
OWN_COLUMNS = ("row_number", "errors")


def neutral(cell: str) -> str:
    """Return a cell that no spreadsheet runs: one that begins like a formula gets an apostrophe before it."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def header_line(header: Sequence[str]) -> bytes:
    """Return the header, with a byte order mark so that spreadsheets read UTF-8."""
    return b"\xef\xbb\xbf" + _lines([[*header, *OWN_COLUMNS]])


def error_lines(rows: Iterable[tuple[ParsedRow, Sequence[Problem]]], width: int) -> bytes:
    """Return the lines of refused rows.

    Args:
        rows: Each row with what is wrong with it.
        width: Columns of the header; cells beyond them are left out, missing ones are empty.
    """
    return _lines(
        [
            *(row.cells[:width] + ("",) * (width - len(row.cells))),
            str(row.number),
            "; ".join(_told(problem) for problem in problems),
        ]
        for row, problems in rows
    )


def _told(problem: Problem) -> str:
    where = f"{problem.column}: " if problem.column else ""
    return f"{where}{problem.code} ({problem.message})"


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([neutral(cell) for cell in row] for row in rows)
    return text.getvalue().encode()
