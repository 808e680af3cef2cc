"""Tell what tool wrote a file, and hold that against what the caller says."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from common.aso.imports.dialect import LOOKED_AT, NAMED, POSSIBLE, Match, header_of, kind_of
from common.aso.imports.plain_csv import plain_match
from common.aso.imports.reader import DELIMITERS, Row, Text, declared_delimiter, head_of, records
from common.aso.imports.registry import DIALECTS
from common.aso.imports.search_console import DIMENSIONS, TABLES
from common.aso.imports.table import Basis, Columns, folded
from common.errors import FieldError, Unprocessable

SHOWN = 20
Mapped = Mapping[str, str | None]
"""Column name to field, or to None for a column that is to be ignored."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """What was found in the first records of a file.

    Attributes:
        delimiter: The delimiter that splits the header best.
        head: The first records, split at it.
        matches: What the file looks like, the most likely first, with the delimiter of each.
    """

    delimiter: str
    head: tuple[Row, ...]
    matches: tuple[tuple[str, Match], ...]

    @property
    def header(self) -> tuple[str, ...]:
        """The first record that could be a header."""
        return next((header_of(row) for row in self.head if not row.blank and not row.unreadable), ())


def looked_at(content: bytes, text: Text) -> Looked:
    """Look for headers of every tool, under every delimiter.

    Raises:
        Unprocessable: ``missing_header``: there is no record but blank ones.
    """
    head = head_of(content, text)
    declared = declared_delimiter(head)
    split = {
        delimiter: _split(head, delimiter, bool(declared)) for delimiter in ([declared] if declared else DELIMITERS)
    }
    widths = {delimiter: max((len(header_of(row)) for row in rows), default=0) for delimiter, rows in split.items()}
    delimiter = max(split, key=lambda each: widths[each])
    if widths[delimiter] == 0 or not any(map(str.isalnum, head)):
        raise Unprocessable("missing_header", "the file has no row with column names")
    found = [
        (each, match)
        for each, rows in split.items()
        for dialect in DIALECTS.values()
        if (match := dialect.match(rows)) is not None
    ]
    # The delimiter that finds more columns is the right one; of one tool only the best match counts.
    found.sort(key=lambda each: (-each[1].confidence, -len(each[1].columns.positions), -len(header_of(each[1].header))))
    best = {match.format: (each, match) for each, match in reversed(found)}
    matches = tuple(each for each in found if best[each[1].format] == each)
    return Looked(delimiter=matches[0][0] if matches else delimiter, head=tuple(split[delimiter]), matches=matches)


def chosen(looked: Looked, wanted: str, mapping: Mapped) -> tuple[str, Match]:
    """Return what the file is read as: delimiter and match, with the caller's mapping.

    Args:
        looked: What was found.
        wanted: The tool that the caller names, or ``auto``.
        mapping: The caller's word on columns.

    Raises:
        Unprocessable: ``unknown_format``: nothing fits, or only perhaps; ``wrong_format``: it is another tool's export
            than named; ``unsupported_table``; ``duplicate_columns``; ``invalid_mapping``.
    """
    delimiter, match = _wanted(looked, wanted, mapping)
    match = replace(match, columns=_mapped(match, mapping)) if mapping else match
    match = _retabled(match) if mapping else match
    if match.missing:
        raise Unprocessable("unsupported_table", f"{match.title} of this kind is not imported: {match.missing}")
    repeated = [(one, other) for field, one, other in match.columns.repeated if field]
    if repeated:
        one, other = repeated[0]
        detail = f"the columns {one!r} and {other!r} say the same; keep one of them, or map one of them"
        raise Unprocessable("duplicate_columns", detail, details={"columns": [one, other]})
    return delimiter, match


def _split(head: str, delimiter: str, declared: bool) -> list[Row]:
    rows = records(io.StringIO(head, newline=""), delimiter)
    return list(itertools.islice((row for row in rows if not (declared and row.number == 1)), LOOKED_AT))


def _wanted(looked: Looked, wanted: str, mapping: Mapped) -> tuple[str, Match]:
    by_format = {match.format: (delimiter, match) for delimiter, match in looked.matches}
    if wanted == "auto":
        if looked.matches and (looked.matches[0][1].confidence != POSSIBLE or mapping):
            return looked.matches[0]
        if looked.matches:
            raise _unsure(looked)
    elif wanted in by_format:
        best = looked.matches[0][1]
        if wanted == "csv" or best.format == wanted or best.confidence < NAMED:
            return by_format[wanted]
        raise _wrong(wanted, best)
    if mapping and wanted in {"auto", "csv", "search_console"}:
        return looked.delimiter, _by_mapping(looked, wanted, mapping)
    if looked.matches:
        raise _wrong(wanted, looked.matches[0][1])
    raise _unknown(wanted, looked.header)


def _by_mapping(looked: Looked, wanted: str, mapping: Mapped) -> Match:
    """Return a match of a header that only the caller's mapping explains."""
    names = set(mapping)
    row = next((row for row in looked.head if names <= set(header_of(row))), None)
    if row is None:
        raise _invalid(f"no row has all of the columns {', '.join(map(repr, list(mapping)[:SHOWN]))}")
    if wanted != "search_console":
        return plain_match(row, ("the caller's mapping",))
    return Match(
        format="search_console",
        table="performance",
        title="a Google Search Console export",
        confidence=NAMED,
        reasons=("the caller's mapping",),
        header=row,
        columns=Columns(positions={}, names={}),
    )


def _mapped(match: Match, mapping: Mapped) -> Columns:
    """Return the columns of a match with the caller's word on some of them."""
    header = header_of(match.header)
    positions, bases = dict(match.columns.positions), dict(match.columns.bases)
    kinds = DIALECTS[match.format].kinds
    given = [field for field in mapping.values() if field is not None]
    for field in given:
        if field not in kinds and field not in positions:
            raise _invalid(f"{field!r} is no field of {DIALECTS[match.format].title}; there are {', '.join(kinds)}")
        if given.count(field) > 1:
            raise _invalid(f"two columns are mapped to {field!r}")
    places = {name: _place(name, header) for name in mapping}
    taken = set(places.values())
    positions = {name: place for name, place in positions.items() if place not in taken and name not in given}
    for name, wanted in mapping.items():
        if wanted is not None:
            positions[wanted] = places[name]
            bases[wanted] = "mapping"
    kept: dict[str, Basis] = {field: bases[field] for field in positions}
    return Columns(
        positions=positions,
        names={name: header[place] for name, place in positions.items()},
        bases=kept,
        repeated=tuple(
            each for each in match.columns.repeated if each[0] not in given and not {*each[1:]} & set(mapping)
        ),
    )


def _place(name: str, header: Sequence[str]) -> int:
    if name in header:
        return header.index(name)
    alike = [at for at, written in enumerate(header) if folded(written) == folded(name)]
    if len(alike) != 1:
        raise _invalid(f"there is no column {name!r}; there are {', '.join(map(repr, header[:SHOWN]))}")
    return alike[0]


def _retabled(match: Match) -> Match:
    """Return the match as the mapped columns make it.

    Raises:
        Unprocessable: ``invalid_mapping``: a column is missing without which nothing can be imported.
    """
    positions = match.columns.positions
    if match.format == "search_console":
        found = tuple(name for name in DIMENSIONS if name in positions)
        needed = [name for name in ("clicks", "impressions", "position") if name not in positions]
        if not found or (needed and found != ("keyword",)):
            raise _invalid(f"no column is mapped to {' or '.join(needed or DIMENSIONS)}")
        return replace(
            match, table=TABLES.get(found, "performance"), missing=None if match.missing is None else match.missing
        )
    if "keyword" not in positions:
        raise _invalid("no column is mapped to 'keyword'")
    return match


def _unknown(wanted: str, header: Sequence[str]) -> Unprocessable:
    needs = DIALECTS[wanted].needs if wanted in DIALECTS else "a column named keyword, or the columns of a known export"
    shown = ", ".join(repr(name[:100]) for name in header[:SHOWN])
    detail = f"the header needs {needs}; it is {shown}"
    return Unprocessable("unknown_format", detail, details={"columns": [name[:200] for name in header[:50]]})


def _unsure(looked: Looked) -> Unprocessable:
    match = looked.matches[0][1]
    detail = f"this may be {match.title} ({'; '.join(match.reasons)}); name the format, or map its columns"
    columns = [name[:200] for name in header_of(match.header)[:50]]
    return Unprocessable("unknown_format", detail, details={"columns": columns})


def _wrong(wanted: str, match: Match) -> Unprocessable:
    why = "; ".join(match.reasons)
    needs = f"; {DIALECTS[wanted].title} has {DIALECTS[wanted].needs}" if wanted in DIALECTS else ""
    detail = f"this looks like {match.title} ({why}){needs}"
    return Unprocessable(
        "wrong_format", detail[:1000], details={"looks_like": match.format, "table": match.table, "named": wanted}
    )


def _invalid(message: str) -> Unprocessable:
    error = FieldError(pointer="query:mapping", code="invalid_mapping", message=message[:500])
    return Unprocessable("invalid_mapping", message[:500], errors=[error])


def pattern_kind(match: Match, field: str) -> str:
    """Return how a field of a match is read."""
    return kind_of(DIALECTS[match.format].kinds, field)
