"""Read one cell of a spreadsheet: whole numbers, decimals, percentages, days and words as people and tools write them.

An empty cell is None. A cell that cannot be read raises ``CellProblem`` with a stable code; nothing is guessed. Which
mark stands before fractions is known per column (``common.aso.imports.marks``) and given to the readers of decimals.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Literal

Mark = Literal["point", "comma", "mixed"]
"""What stands before the fraction in a column; ``mixed``: both do, so a cell that could be either is refused."""

GROUPING = " .,'\u00a0\u2007\u2009\u202f\u2019"
"""What stands between thousands: spaces of every width, point, comma, apostrophes."""

GROUPED = re.compile(
    rf"[+-]?(?:\d{{1,3}}([{GROUPING}])\d{{3}}(?:\1\d{{3}})*|\d{{1,2}}(?:,\d{{2}})+,\d{{3}})((?!\1)[.,]0+)?", re.ASCII
)
"""A whole number with one separator of thousands (or Indian ones, ``10,95,056``), perhaps with a fraction of zeros."""

SPACES = GROUPING.replace(".", "").replace(",", "")
PATTERNS: dict[Mark, re.Pattern[str]] = {
    "point": re.compile(rf"[+-]?(?:\d{{1,3}}([{SPACES},])\d{{3}}(?:\1\d{{3}})*|\d*)(?:\.\d*)?", re.ASCII),
    "comma": re.compile(rf"[+-]?(?:\d{{1,3}}([{SPACES}.])\d{{3}}(?:\1\d{{3}})*|\d*)(?:,\d*)?", re.ASCII),
}
PLAIN: dict[Mark, re.Pattern[str]] = {
    "point": re.compile(r"\d+(?:\.\d+)?", re.ASCII),
    "comma": re.compile(r"\d+(?:,\d+)?", re.ASCII),
    "mixed": re.compile(r"\d+", re.ASCII),
}
"""The numbers that most cells hold."""
AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
"""``1.234``: a thousand or a fraction."""

ABSENT = frozenset({"", "-", "\u2013", "\u2014", "\u2212", "--", "n/a", "n.a.", "na", "k. a.", "null", "none", "#n/a"})
"""What tools write where they know nothing."""

TIMES = {"k": 1e3, "m": 1e6, "b": 1e9, "tsd.": 1e3, "mio.": 1e6}
BOUND = r"(\d[\d.,\u00a0\u202f]*)\s*(k|m|b|tsd\.|mio\.)?"
RANGE = re.compile(rf"{BOUND}\s*[-\u2013\u2014]\s*{BOUND}", re.ASCII | re.IGNORECASE)
BELOW = re.compile(rf"<\s*{BOUND}", re.ASCII | re.IGNORECASE)
ROUNDED = re.compile(rf"{BOUND}\+?", re.ASCII | re.IGNORECASE)
GERMAN_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
SLASHED_DAY = re.compile(r"\d{1,2}/\d{1,2}/\d{2,4}", re.ASCII)
DEEPEST = 1000
NOT_FOUND = re.compile(r">\s*(\d{1,4})|(\d{1,4})\+", re.ASCII)
LOCALE = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{2}))?")


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
    """Read a whole number with or without separators of thousands: ``1,095,056``, ``1.095.056``, ``1 095``.

    A single separator before three digits is one of thousands, because a whole number has no fraction: ``1.234`` is
    one thousand two hundred and thirty-four.

    Raises:
        CellProblem: ``invalid_number`` or ``out_of_range``.
    """
    if cell.isdecimal() and cell.isascii() and len(cell) < 16:
        return _within_whole(int(cell), cell, least, most)
    if absent(cell):
        return None
    text = cell.strip()
    grouped = GROUPED.fullmatch(text)
    if grouped:
        digits = re.sub(r"[^0-9]", "", text.removesuffix(grouped[2] or ""))
        return _within_whole(int(f"-{digits}" if text.startswith("-") else digits), cell, least, most)
    number = _number(text)
    if not number.is_integer():
        raise CellProblem("invalid_number", f"{text!r} is not a whole number")
    return _within_whole(int(number), cell, least, most)


def decimal(cell: str, *, least: float, most: float, mark: Mark = "mixed") -> float | None:
    """Read a number with a fraction: ``5.34``, ``5,34``, ``1.234,5``.

    Args:
        cell: The cell.
        least: Smallest number taken.
        most: Greatest number taken.
        mark: What stands before fractions in this column.

    Raises:
        CellProblem: ``invalid_number``, ``ambiguous_number`` or ``out_of_range``.
    """
    if absent(cell):
        return None
    return _within(_marked(cell.strip(), mark), cell, least, most)


def share(cell: str, *, mark: Mark = "mixed") -> float | None:
    """Read a share of one, written as a percentage (``4.17%``, ``4,17 %``) or as a fraction (``0.0417``).

    Raises:
        CellProblem: ``invalid_number``, ``ambiguous_number`` or ``out_of_range``.
    """
    if absent(cell):
        return None
    text = cell.strip()
    percent = text.endswith("%")
    number = _marked(text.removesuffix("%").strip(), mark) / (100 if percent else 1)
    return _within(number, cell, 0, 1)


def volume(cell: str) -> tuple[int, bool] | None:
    """Read a search volume, which tools also write rounded (``1K``, ``2.4M``) or as a range (``1K - 10K``, ``<10``).

    The ranges of Keyword Planner are decades. A range stands for the geometric mean of its bounds, rounded (``1K -
    10K`` is 3162), which is off by the same factor at either end; a range from 0 (and ``<10``) for half its upper
    bound.

    Returns:
        The number, and whether it was a range.

    Raises:
        CellProblem: ``invalid_number`` or ``out_of_range``.
    """
    text = cell.strip()
    found = RANGE.fullmatch(text)
    if found is not None:
        low, high = _bound(found[1], found[2]), _bound(found[3], found[4])
        if low > high:
            raise CellProblem("invalid_number", f"{text!r} is not a range")
        return _middle(low, high), True
    below = BELOW.fullmatch(text)
    if below is not None:
        return _middle(0, _bound(below[1], below[2])), True
    rounded = ROUNDED.fullmatch(text)
    if rounded is not None and (rounded[2] or text.endswith("+")):
        return round(_bound(rounded[1], rounded[2])), False
    number = whole(cell)
    return None if number is None else (number, False)


def position(cell: str, *, mark: Mark = "mixed") -> tuple[float | None, int | None] | None:
    """Return position and depth: ``7`` is found at 7; ``>100`` and ``100+`` are not found down to 100.

    Raises:
        CellProblem: ``invalid_number``, ``ambiguous_number`` or ``out_of_range``.
    """
    if absent(cell):
        return None
    deeper = NOT_FOUND.fullmatch(cell.strip())
    if deeper is not None:
        return None, whole(deeper[1] or deeper[2], least=1, most=DEEPEST)
    return decimal(cell, least=1, most=DEEPEST, mark=mark), None


def day(cell: str, *, latest: date) -> str | None:
    """Read a day: ``2026-01-31``, ``20260131``, ``31.01.2026``, or the UTC day of an RFC 3339 time.

    ``01/02/2026`` is refused: it is the first of February or the second of January.

    Raises:
        CellProblem: ``invalid_date``, ``ambiguous_date``, or ``date_in_future`` for a day after ``latest``.
    """
    if absent(cell):
        return None
    text = cell.strip()
    if SLASHED_DAY.fullmatch(text):
        raise CellProblem("ambiguous_date", f"{text!r} may begin with the day or the month; write 2026-01-31")
    german = GERMAN_DAY.fullmatch(text)
    try:
        moment = datetime.fromisoformat(f"{german[3]}-{german[2]:0>2}-{german[1]:0>2}" if german else text)
        found = (moment.astimezone(UTC) if moment.tzinfo else moment).date()
    except (ValueError, OverflowError) as error:
        raise CellProblem("invalid_date", f"{text!r} is not a day like 2026-01-31") from error
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
        raise CellProblem("missing_value", "the cell is empty")
    if not text.isprintable():
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


def locale(cell: str) -> str | None:
    """Read a language, or a language and a country: ``en``, ``en_us``.

    Raises:
        CellProblem: ``unknown_value``.
    """
    if absent(cell):
        return None
    match = LOCALE.fullmatch(cell.strip())
    if match is None:
        raise CellProblem("unknown_value", f"{cell.strip()!r} is not a locale like en or en-US")
    return match[1].lower() + (f"-{match[2].upper()}" if match[2] else "")


def address(cell: str, *, most: int) -> str | None:
    """Read the address of a page as written.

    Raises:
        CellProblem: ``invalid_url``.
    """
    if absent(cell):
        return None
    text = cell.strip()
    if len(text) > most or any(character.isspace() for character in text):
        raise CellProblem("invalid_url", "the address holds spaces or is too long")
    return text


def _marked(text: str, mark: Mark) -> float:
    """Return a number whose fraction stands behind the mark of its column."""
    if PLAIN[mark].fullmatch(text):
        return float(text.replace(",", "."))
    if mark == "mixed":
        if AMBIGUOUS.fullmatch(text):
            raise CellProblem("ambiguous_number", f"{text!r} may be a thousand or a fraction; the column has both")
        last = max(text.rfind("."), text.rfind(","))
        mark = "comma" if last >= 0 and text[last] == "," else "point"
    if not PATTERNS[mark].fullmatch(text) or not any(map(str.isdecimal, text)):
        raise CellProblem("invalid_number", f"{text!r} is not a number with a decimal {mark}")
    fraction = "," if mark == "comma" else "."
    integer, _, rest = text.partition(fraction)
    sign = "-" if integer.startswith("-") else ""
    return float(f"{sign}{re.sub(r'[^0-9]', '', integer) or '0'}.{rest or '0'}")


def _bound(digits: str, unit: str | None) -> float:
    times = TIMES[unit.casefold()] if unit else 1
    if times > 1:
        return _number(digits.strip()) * times
    number = whole(digits.strip(",. "))
    return float(number or 0)


def _middle(low: float, high: float) -> int:
    return round(math.sqrt(low * high)) if low > 0 else round(high / 2)


def _number(text: str) -> float:
    if not re.fullmatch(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)", text, re.ASCII):
        raise CellProblem("invalid_number", f"{text!r} is not a number")
    return float(text.replace(",", "."))


def _within(number: float, cell: str, least: float, most: float) -> float:
    if not math.isfinite(number) or not least <= number <= most:
        raise CellProblem("out_of_range", f"{cell.strip()!r} is not between {least:g} and {most:g}")
    return number


def _within_whole(number: int, cell: str, least: int, most: int) -> int:
    if not least <= number <= most:
        raise CellProblem("out_of_range", f"{cell.strip()!r} is not between {least} and {most}")
    return number
