"""The rows of a file in order: parsed, and judged against the rows before them.

A keyword may stand in several rows of a file (a rank per day or device). Its numbers are taken from the first of them;
a later row that tells other numbers is refused, so that the outcome does not depend on anything but the file, and
importing it again changes nothing.

A row of totals is refused by its own name, so that it neither becomes a keyword nor is lost without a word: names that
tools put in brackets (``(other)``, ``(not set)``), and words such as "Total" or no word at all where the numbers are
the sums of the rows above. A keyword "total" with numbers of its own is a keyword.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

from common.aso.imports.plan import Plan
from common.aso.imports.reader import rows_of
from common.aso.imports.registry import DIALECTS
from common.aso.imports.table import Circumstances, ParsedRow, Problem, RowReader
from common.aso.normalize import normalized_keyword

PLACEHOLDER = re.compile(r"\((?:other|others|not set|not provided|total|totals|unknown)\)", re.IGNORECASE)
TOTAL_WORDS = frozenset(
    {
        *("total", "totals", "grand total", "sum", "subtotal", "other", "others", "all", ""),
        *("gesamt", "summe", "insgesamt", "sonstige", "total général", "autres", "otros", "totale", "altro", "outros"),
        *("totaal", "overig", "合計", "その他"),
    }
)
LEAST_ROWS = 2
"""Rows above a row of totals; with fewer, equal numbers prove nothing."""


def parsed_rows(source: IO[bytes], plan: Plan, circumstances: Circumstances) -> Iterator[ParsedRow]:
    """Stream the parsed rows of a file.

    Args:
        source: The file from its beginning.
        plan: How it is read.
        circumstances: What it does not say about itself.
    """
    reading, parse = plan.reading(), DIALECTS[plan.format].parse
    totals, repetitions = Totals(), Repetitions()
    for row in rows_of(source, plan.text, plan.delimiter, plan.header_row):
        yield repetitions.judged(totals.judged(parse(RowReader(row, reading), circumstances)))


class Totals:
    """Knows a row of totals by its name and its numbers."""

    def __init__(self) -> None:
        self._sums: list[int] = []
        self._rows = 0

    def judged(self, row: ParsedRow) -> ParsedRow:
        """Return the row, or with the problem that it is one of totals."""
        label = (row.keyword or (row.cells[0].strip() if row.cells else "")).casefold()
        if label[:1] == "(" and PLACEHOLDER.fullmatch(label):
            return _totals(row, f"{label!r} stands for rows that are not listed")
        if label in TOTAL_WORDS and self._is_sum(row):
            return _totals(row, "the numbers are the sums of the rows above")
        if not row.problems:
            sums = self._sums or [0] * len(row.totals)
            self._sums = [sum_ + (number or 0) for sum_, number in zip(sums, row.totals, strict=True)]
            self._rows += 1
        return row

    def _is_sum(self, row: ParsedRow) -> bool:
        told = [(number, sum_) for number, sum_ in zip(row.totals, self._sums, strict=False) if number is not None]
        return self._rows >= LEAST_ROWS and any(number for number, _ in told) and all(a == b for a, b in told)


class Repetitions:
    """Remembers what the rows of a file are about and what the first of each told; about 150 bytes a row."""

    def __init__(self) -> None:
        self._first: dict[bytes, tuple[int, bytes]] = {}

    def judged(self, row: ParsedRow) -> ParsedRow:
        """Return the row without numbers already told, or with the problem that it tells others."""
        if row.problems:
            return row
        metrics = row.metrics or _numbers(row)
        key = _digest(normalized_keyword(row.keyword) if row.metrics or not row.facts else _subject(row))
        told = _digest(repr(sorted(metrics.items())))
        number, first = self._first.setdefault(key, (row.number, told))
        if number == row.number:
            return row
        if metrics and first != told:
            message = f"row {number} tells other numbers of the same"
            return _refused(row, Problem(column="", code="conflicting_duplicate", message=message))
        if not row.ranks:
            message = f"row {number} says the same"
            return _refused(row, Problem(column="", code="duplicate_row", message=message))
        return replace(row, metrics={}, facts=(), repeated=True)


def _numbers(row: ParsedRow) -> dict[str, object]:
    return {name: fact[name] for fact in row.facts for name in ("clicks", "impressions", "position")}


def _subject(row: ParsedRow) -> str:
    names = ("date", "query", "page", "device", "country")
    return "\n".join(str(fact.get(name)) for fact in row.facts for name in names)


def _totals(row: ParsedRow, message: str) -> ParsedRow:
    return _refused(row, Problem(column="", code="summary_row", message=message))


def _refused(row: ParsedRow, problem: Problem) -> ParsedRow:
    return ParsedRow(number=row.number, cells=row.cells, keyword=row.keyword, problems=(problem,))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
