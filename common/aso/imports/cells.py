"""Read one cell of a spreadsheet: whole numbers, decimals, percentages, days and words as people and tools write them.

An empty cell is None. A cell that cannot be read raises ``CellProblem`` with a stable code; nothing is guessed.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, date, datetime

GROUPED = re.compile(r"\d{1,3}(?:[,. '\u00a0\u202f\u2019]\d{3})+", re.ASCII)
"""A whole number with a separator of thousands."""

NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)", re.ASCII)
ABSENT = frozenset({"", "-", "\u2013", "\u2014", "--", "n/a", "na", "null", "none", "#n/a"})
"""What tools write where they know nothing."""


class CellProblem(ValueError):
    """A cell that cannot be read.

    Attributes:
        code: Stable snake_case reason.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def absent(cell: str) -> bool:
    """Return whether a cell says nothing."""
    return cell.strip().casefold() in ABSENT


def whole(cell: str, *, least: int = 0, most: int = 2**53) -> int | None:
    """Read a whole number with or without separators of thousands: ``1,095,056``.

    Raises:
        CellProblem: ``invalid_number`` or ``out_of_range``.
    """
    if absent(cell):
        return None
    text = cell.strip()
    if GROUPED.fullmatch(text):
        text = re.sub(r"\D", "", text)
    number = _number(text)
    if not number.is_integer():
        raise CellProblem("invalid_number", f"{cell.strip()!r} is not a whole number")
    return int(_within(number, cell, least, most))


def decimal(cell: str, *, least: float, most: float) -> float | None:
    """Read a number with a point or a comma before its fraction: ``5.34``, ``5,34``.

    Raises:
        CellProblem: ``invalid_number`` or ``out_of_range``.
    """
    return None if absent(cell) else _within(_number(cell.strip()), cell, least, most)


def share(cell: str) -> float | None:
    """Read a share of one, written as a percentage (``4.17%``, ``4,17 %``) or as a fraction (``0.0417``).

    Raises:
        CellProblem: ``invalid_number`` or ``out_of_range``.
    """
    if absent(cell):
        return None
    text = cell.strip()
    percent = text.endswith("%")
    number = _number(text.removesuffix("%").strip()) / (100 if percent else 1)
    return _within(number, cell, 0, 1)


def day(cell: str, *, latest: date) -> str | None:
    """Read a day: ``2026-01-31``, or the UTC day of an RFC 3339 time.

    Raises:
        CellProblem: ``invalid_date``, or ``date_in_future`` for a day after ``latest``.
    """
    if absent(cell):
        return None
    text = cell.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CellProblem("invalid_date", f"{text!r} is not a day like 2026-01-31") from error
    found = (moment.astimezone(UTC) if moment.tzinfo else moment).date()
    if found > latest:
        raise CellProblem("date_in_future", f"{found.isoformat()} is in the future")
    return found.isoformat()


def phrase(cell: str, *, most: int) -> str:
    """Read a keyword: any text on one line, formulas, addresses and backslashes included.

    Raises:
        CellProblem: ``missing_value``, ``too_long``, ``line_break`` or ``invalid_character``.
    """
    text = cell.strip()
    if not text:
        raise CellProblem("missing_value", "the keyword is missing")
    if "\n" in text or "\r" in text:
        raise CellProblem("line_break", "the cell runs over several lines; is a quotation mark missing?")
    if any(unicodedata.category(character) == "Cc" for character in text if character != "\t"):
        raise CellProblem("invalid_character", "the cell holds control characters")
    if len(text) > most:
        raise CellProblem("too_long", f"{len(text)} characters; {most} at most")
    return text


def choice(cell: str, known: dict[str, str]) -> str | None:
    """Read one of several words, whatever its case.

    Args:
        cell: The cell.
        known: Accepted word (case folded) to the value it stands for.

    Raises:
        CellProblem: ``unknown_value``.
    """
    if absent(cell):
        return None
    word = cell.strip().casefold()
    if word not in known:
        names = ", ".join(sorted(set(known.values())))
        raise CellProblem("unknown_value", f"{cell.strip()!r} is none of {names}")
    return known[word]


def _number(text: str) -> float:
    if not NUMBER.fullmatch(text):
        raise CellProblem("invalid_number", f"{text!r} is not a number")
    return float(text.replace(",", "."))


def _within(number: float, cell: str, least: float, most: float) -> float:
    if not math.isfinite(number) or not least <= number <= most:
        raise CellProblem("out_of_range", f"{cell.strip()!r} is not between {least:g} and {most:g}")
    return number
