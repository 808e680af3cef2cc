"""Decide per column what stands before fractions, a point or a comma, from the evidence of the cells.

One cell can prove it: two different separators (``1.234,5``: the last one), one that comes twice (``1.234.567``: it
groups, so the other one), one before other than three digits (``4,17``), or after a leading zero (``0,123``). What
``1.234`` means cannot be told from itself. In a column of whole numbers it is a thousand, and so proof for the file. In
a column of decimals, the order of what decides is:

1. proof in the column; contradicting proofs make the column ``mixed``: cells that could be either are refused;
2. proof in the other columns of the file;
3. a file delimited by semicolons, which is what programs write where the comma is taken: comma;
4. the language of the header: comma for German, French, Spanish, Italian, Portuguese and Dutch;
5. a point.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from common.aso.imports.cells import Mark

COMMA_LANGUAGES = frozenset({"de", "fr", "es", "it", "pt", "nl"})
_SHAPE = re.compile(r"[+-]?(\d*)((?:[.,]\d+)+)[.,]?\s*%?", re.ASCII)
_SPACES = re.compile(r"[\s'\u2019]+")


@dataclass(slots=True)
class Votes:
    """What the cells of one column prove.

    Attributes:
        whole: Whether the column holds whole numbers.
        point: A cell that proves a decimal point.
        comma: A cell that proves a decimal comma.
        ambiguous: A cell that proves nothing.
    """

    whole: bool = False
    point: str | None = None
    comma: str | None = None
    ambiguous: str | None = None

    def add(self, cell: str) -> None:
        """Count one cell."""
        points, commas = cell.count("."), cell.count(",")
        if points + commas == 0:
            return
        if not self.whole and points + commas == 1 and (self.point if points else self.comma):
            return  # it could only prove what is proved
        mark = proof(cell, whole=self.whole)
        if mark == "point":
            self.point = self.point or cell.strip()
        elif mark == "comma":
            self.comma = self.comma or cell.strip()
        elif mark == "ambiguous":
            self.ambiguous = self.ambiguous or cell.strip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What stands before the fractions of a column, and why.

    Attributes:
        mark: ``point``, ``comma`` or ``mixed``.
        evidence: One sentence.
    """

    mark: Mark
    evidence: str


def proof(cell: str, *, whole: bool = False) -> str | None:
    """Return what one cell proves: ``point``, ``comma``, ``ambiguous``, or None where it is no number with a separator.

    Args:
        cell: The cell.
        whole: Whether it is of a column of whole numbers, which have no fractions.
    """
    shape = _SHAPE.fullmatch(_SPACES.sub("", cell))
    if shape is None:
        return None
    parts = re.findall(r"[.,]\d+", shape[2])
    separators = [part[0] for part in parts]
    if len(set(separators)) == 2:
        return _named(separators[-1])
    if len(parts) > 1:
        return _other(separators[0])
    fraction = len(parts[0]) != 4 or shape[1] in {"", "0"} or len(shape[1]) > 3
    if fraction:
        return _named(separators[0])
    return _other(separators[0]) if whole else "ambiguous"


def decided(votes: Mapping[str, Votes], delimiter: str, language: str | None) -> dict[str, Decision]:
    """Return the decision for every column of decimals.

    Args:
        votes: What was proved, by field.
        delimiter: Of the file.
        language: Of its header, such as ``de``; None where it is unknown.
    """
    return {name: _decided(name, votes, delimiter, language) for name, own in votes.items() if not own.whole}


def _decided(name: str, votes: Mapping[str, Votes], delimiter: str, language: str | None) -> Decision:
    own = votes[name]
    if own.point and own.comma:
        return Decision(mark="mixed", evidence=f"{own.point!r} and {own.comma!r} stand in one column")
    for mark, cell in (("point", own.point), ("comma", own.comma)):
        if cell:
            return Decision(mark="point" if mark == "point" else "comma", evidence=f"{cell!r} in this column")
    points = next((each.point for each in votes.values() if each.point), None)
    commas = next((each.comma for each in votes.values() if each.comma), None)
    if points and not commas:
        return Decision(mark="point", evidence=f"{points!r} in another column")
    if commas and not points:
        return Decision(mark="comma", evidence=f"{commas!r} in another column")
    if delimiter == ";":
        return Decision(mark="comma", evidence="nothing proves it; the file is delimited by semicolons")
    if language in COMMA_LANGUAGES:
        return Decision(mark="comma", evidence=f"nothing proves it; the header's language is {language!r}")
    return Decision(mark="point", evidence="nothing proves it; a point is the rule")


def _named(separator: str) -> str:
    return "point" if separator == "." else "comma"


def _other(separator: str) -> str:
    return "comma" if separator == "." else "point"
