"""Tables as Excel workbooks (ECMA-376, SpreadsheetML), streamed: memory for some hundred rows, whatever the size.

Libraries for workbooks keep a sheet in memory, or spool it uncompressed to a disk, which is memory too where functions
run; a sheet of plain cells is little XML, so it goes straight into the compressed stream here. Cells carry their type:
numbers and times are such, and texts are inline strings, which no program takes for formulas. Equal rows make equal
bytes: the archive's entries all carry the oldest time that ZIP knows.

A sheet takes 1,048,576 rows; what is more goes to further sheets, as does what would make a part of the archive larger
than all programs read.
"""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO, cast
from xml.sax.saxutils import escape

from common.errors import Unprocessable
from common.exports.columns import Column, Value

ROWS = 1_048_576
"""Rows of a sheet, headings included."""
LONGEST_TEXT = 32_767
"""Characters of a cell."""
EXACT = 10**15
"""From here on a cell rounds whole numbers: they are written as text."""
SHEET_BYTES = 1_600_000_000
"""Uncompressed bytes of a sheet, below the 2 GiB to which an entry of unknown size is limited without ZIP64."""
ARCHIVE_BYTES = 2_000_000_000
BLOCK = 262_144
WIDTH = 18

_OLDEST = (1980, 1, 1, 0, 0, 0)
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  # Excel's serial numbers know no zone; ours are UTC
_FIRST_DAY = datetime(1900, 3, 1)  # noqa: DTZ001  # before that Excel counts a day that never was
_DAY = 86_400
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"

STYLES = f"""{_HEAD}<styleSheet xmlns="{_MAIN}">\
<numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>\
<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>\
<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>\
<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>\
<fills count="2"><fill><patternFill patternType="none"/></fill>\
<fill><patternFill patternType="gray125"/></fill></fills>\
<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>\
<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>\
<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>\
<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>\
<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>\
<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>\
<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>"""
"""Four kinds of cells: plain, heading (1), day (2), time (3)."""


@dataclass(slots=True)
class Told:
    """What writing a workbook came to, known at its end.

    Attributes:
        sheets: Sheets written.
        shortened: Texts cut to what a cell takes.
    """

    sheets: int = 0
    shortened: int = 0


def encoded(
    columns: Sequence[Column], rows: Iterable[Sequence[Value]], title: str, told: Told, *, sheet_rows: int = ROWS
) -> Iterator[bytes]:
    """Yield the bytes of a workbook.

    Args:
        columns: The columns; their names are the first row of every sheet.
        rows: Cells in the order of the columns.
        title: Name of the first sheet; further ones carry a number after it.
        told: Takes what was written.
        sheet_rows: Rows of a sheet at most, headings included.

    Raises:
        Unprocessable: ``export_too_large``: more than two GB compressed.
    """
    sink = _Sink()
    with zipfile.ZipFile(cast("IO[bytes]", sink), "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        waiting = iter(rows)
        first = next(waiting, None)
        while first is not None or not told.sheets:
            told.sheets += 1
            sheet = _Sheet(columns, told, sheet_rows)
            with archive.open(_entry(f"xl/worksheets/sheet{told.sheets}.xml"), "w") as target:
                for block in sheet.blocks(first, waiting):
                    target.write(block)
                    yield from sink.taken()
            first = sheet.following
        for name, text in _parts(title, told.sheets):
            archive.writestr(_entry(name), text.encode())
    yield from sink.taken()


class _Sheet:
    """One sheet: takes rows until it is full.

    Attributes:
        following: The row that did not fit any more; None where all did.
    """

    def __init__(self, columns: Sequence[Column], told: Told, limit: int) -> None:
        self.following: Sequence[Value] | None = None
        self._columns = columns
        self._limit = limit
        self._writers = [_writer(column, _letters(at), told) for at, column in enumerate(columns)]

    def blocks(self, first: Sequence[Value] | None, rows: Iterator[Sequence[Value]]) -> Iterator[bytes]:
        """Yield the XML of the sheet."""
        block, size, written, number = [self._opening()], 0, 0, 1
        row = first
        while row is not None:
            if number == self._limit or written + size >= SHEET_BYTES:
                self.following = row
                break
            number += 1
            cells = "".join([write(number, cell) for write, cell in zip(self._writers, row, strict=True)])
            line = f'<row r="{number}">{cells}</row>'
            block.append(line)
            size += len(line)
            if size >= BLOCK:
                content = "".join(block).encode()
                yield content
                written += len(content)
                block, size = [], 0
            row = next(rows, None)
        yield "".join([*block, "</sheetData></worksheet>"]).encode()

    def _opening(self) -> str:
        headings = "".join(
            _string(f"{_letters(at)}1", escape(column.name), style=1) for at, column in enumerate(self._columns)
        )
        return (
            f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
            '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
            f'<cols><col min="1" max="{len(self._columns)}" width="{WIDTH}" customWidth="1"/></cols>'
            f'<sheetData><row r="1">{headings}</row>'
        )


def _writer(column: Column, letters: str, told: Told) -> Callable[[int, Value], str]:
    timed = column.kind in {"day", "timestamp"}
    style = 2 if column.kind == "day" else 3

    def write(number: int, value: Value) -> str:
        match value:
            case None:
                return ""
            case bool():
                return f'<c r="{letters}{number}" t="b"><v>{int(value)}</v></c>'
            case int() if abs(value) < EXACT:
                return f'<c r="{letters}{number}"><v>{value}</v></c>'
            case float():
                return f'<c r="{letters}{number}"><v>{value!r}</v></c>' if math.isfinite(value) else ""
            case str() if timed and (serial := _serial(value)) is not None:
                return f'<c r="{letters}{number}" s="{style}"><v>{serial!r}</v></c>'
        return _text(f"{letters}{number}", str(value), told)

    return write


def _letters(column: int) -> str:
    """Return the name of a column, counted from 0: A, ..., Z, AA, ..."""
    rest, last = divmod(column, 26)
    return (_letters(rest - 1) if rest else "") + chr(ord("A") + last)


def _text(place: str, value: str, told: Told) -> str:
    if len(value) > LONGEST_TEXT:
        value = value[: LONGEST_TEXT - 1] + "…"
        told.shortened += 1
    return _string(place, escape(_NOT_XML.sub(_escaped, _LOOKS_ESCAPED.sub("_x005F_", value))))


def _string(place: str, text: str, style: int = 0) -> str:
    styled = f' s="{style}"' if style else ""
    space = ' xml:space="preserve"' if text != text.strip() or "\n" in text or "  " in text else ""
    return f'<c r="{place}" t="inlineStr"{styled}><is><t{space}>{text}</t></is></c>'


def _escaped(found: re.Match[str]) -> str:
    """Return a character that XML cannot hold as workbooks write it (ST_Xstring)."""
    code = ord(found[0])
    return "\ufffd" if code >= 0xD800 else f"_x{code:04X}_"


def _serial(text: str) -> float | int | None:
    """Return the serial number of a day or time (UTC); None where there is none."""
    try:
        if len(text) == 10:
            moment = datetime.combine(date.fromisoformat(text), datetime.min.time())
        else:
            moment = datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None
    if moment < _FIRST_DAY:
        return None
    passed = moment - _EPOCH
    if len(text) == 10:
        return passed.days
    return round(passed.days + (passed.seconds + round(passed.microseconds, -3) / 1e6) / _DAY, 10)


def _parts(title: str, sheets: int) -> Iterator[tuple[str, str]]:
    """Yield the parts of the package besides the sheets."""
    numbers = range(1, sheets + 1)
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        for number in numbers
    )
    yield (
        "[Content_Types].xml",
        (
            f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>{overrides}</Types>'
        ),
    )
    yield (
        "_rels/.rels",
        (
            f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
            f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
    )
    named = "".join(
        f'<sheet name="{_sheet_name(title, number)}" sheetId="{number}" r:id="rId{number}"/>' for number in numbers
    )
    yield (
        "xl/workbook.xml",
        (f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{named}</sheets></workbook>'),
    )
    related = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in numbers
    )
    yield (
        "xl/_rels/workbook.xml.rels",
        (
            f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{related}'
            f'<Relationship Id="rId{sheets + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>'
        ),
    )
    yield "xl/styles.xml", STYLES


def _sheet_name(title: str, number: int) -> str:
    name = re.sub(r"[\[\]:*?/\\']", "_", title)[:24] or "export"
    return escape(name if number == 1 else f"{name} {number}", {'"': "&quot;"})


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _OLDEST)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 0
    return entry


class _Sink:
    """Takes what the archive writes, to be handed on; cannot seek, so the archive writes sizes after the contents."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._position = 0

    def write(self, content: bytes) -> int:
        """Take bytes."""
        self._blocks.append(bytes(content))
        self._position += len(content)
        if self._position > ARCHIVE_BYTES:
            raise Unprocessable("export_too_large", "The workbook would be larger than 2 GB; export it as CSV.")
        return len(content)

    def flush(self) -> None:
        """Do nothing: there is nothing behind this."""

    def taken(self) -> Iterator[bytes]:
        """Yield what was written since the last call."""
        blocks, self._blocks = self._blocks, []
        yield from blocks
