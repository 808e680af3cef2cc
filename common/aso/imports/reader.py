"""Read an uploaded table as text: what kind of file it is, its encoding, its delimiter, its header, its rows.

Rows are streamed; nothing holds the file as a whole. Cells stay text: ``=SUM(A1)`` is a keyword like any other.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from common.errors import Unprocessable, UnsupportedMediaType

HEAD_BYTES = 65_536
"""How much of a file is looked at to tell what it is; a header longer than that is not one."""

DELIMITERS = ",;\t|"
SEPARATOR_LINE = re.compile(r"""^["']?sep=(.)["']?\s*$""", re.IGNORECASE)

BINARY_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "an Excel workbook or another ZIP archive: export it as CSV"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook: export it as CSV"),
    (b"\x1f\x8b", "compressed with gzip: send it uncompressed"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3\x00", "a database"),
)
HTML_OR_JSON = re.compile(r"^\s*(<!doctype|<html|<\?xml|[{\[])", re.IGNORECASE)
BYTE_ORDER_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How a file is written.

    Attributes:
        encoding: Python's name of the encoding; a byte order mark is taken away by it.
        delimiter: Between cells.
        header: Cells of the header row, stripped.
        header_row: 1-based line at which the header begins.
    """

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    header_row: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One record of the file.

    Attributes:
        number: 1-based line at which it begins.
        cells: As written, not stripped.
        unreadable: Why the record cannot be read, or None.
    """

    number: int
    cells: tuple[str, ...]
    unreadable: str | None = None


def layout_of(head: bytes) -> Layout:
    """Look at the first bytes of a file.

    Args:
        head: The first ``HEAD_BYTES`` of the file, or all of it.

    Raises:
        UnsupportedMediaType: ``unsupported_file_type``: not a text table.
        Unprocessable: ``empty_file``, ``unsupported_encoding``, ``missing_header`` or ``duplicate_columns``.
    """
    encoding = encoding_of(head)
    text = _decoded(head, encoding)
    if not text.strip():
        raise Unprocessable("empty_file", "the file is empty")
    if HTML_OR_JSON.match(text):
        raise UnsupportedMediaType("unsupported_file_type", "the file holds HTML, XML or JSON; send a CSV file")
    declared = SEPARATOR_LINE.match(text.splitlines()[0])
    delimiter = declared[1] if declared else _delimiter_of(text)
    rows = _records(io.StringIO(text, newline=""), delimiter)
    header = next((row for row in rows if not _blank(row) and not (declared and row.number == 1)), None)
    if header is None or header.unreadable:
        raise Unprocessable("missing_header", "the file has no row with column names")
    cells = tuple(cell.strip() for cell in header.cells)
    while cells and not cells[-1]:
        cells = cells[:-1]
    return Layout(encoding=encoding, delimiter=delimiter, header=cells, header_row=header.number)


def encoding_of(head: bytes) -> str:
    """Return the encoding of a text file: UTF-8 unless its first bytes say UTF-16.

    Raises:
        UnsupportedMediaType: ``unsupported_file_type``: the bytes are not text.
    """
    for signature, what in BINARY_SIGNATURES:
        if head.startswith(signature):
            raise UnsupportedMediaType("unsupported_file_type", f"the file is {what}")
    for mark, encoding in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    sample = head[:1024]
    if b"\x00" in sample:
        # Text of mostly Latin letters in UTF-16 without a mark has every other byte zero.
        even, odd = sample[::2].count(0), sample[1::2].count(0)
        if odd > len(sample) // 4 and even == 0:
            return "utf-16-le"
        if even > len(sample) // 4 and odd == 0:
            return "utf-16-be"
        raise UnsupportedMediaType("unsupported_file_type", "the file is not text")
    return "utf-8"


def check_encoding(chunks: Iterator[bytes], encoding: str) -> None:
    """Decode a whole file and throw the text away.

    Raises:
        Unprocessable: ``unsupported_encoding``, with the offset of the first byte that does not fit.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    done = 0
    try:
        for chunk in chunks:
            decoder.decode(chunk)
            done += len(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        detail = f"the file is not {encoding} text near byte {done + error.start}; save it as UTF-8"
        raise Unprocessable("unsupported_encoding", detail) from error


def rows_of(source: IO[bytes], layout: Layout) -> Iterator[Row]:
    """Stream the rows after the header; blank lines are left out.

    The bytes must have passed ``check_encoding``.
    """
    text = io.TextIOWrapper(source, encoding=layout.encoding, newline="")
    for row in _records(text, layout.delimiter):
        if row.number > layout.header_row and not _blank(row):
            yield row


def _records(lines: Iterator[str] | io.TextIOBase, delimiter: str) -> Iterator[Row]:
    reader = csv.reader(iter(lines), delimiter=delimiter)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(number=number, cells=(), unreadable=str(error))
        else:
            yield Row(number=number, cells=tuple(cells))


def _blank(row: Row) -> bool:
    return row.unreadable is None and not any(cell.strip() for cell in row.cells)


def _delimiter_of(text: str) -> str:
    """Return the delimiter that splits the first written line into the most cells; a comma where none does."""
    line = next(line for line in text.splitlines() if line.strip())
    counts: Sequence[int] = [len(next(csv.reader([line], delimiter=delimiter))) for delimiter in DELIMITERS]
    return DELIMITERS[counts.index(max(counts))]


def _decoded(head: bytes, encoding: str) -> str:
    """Decode the beginning of a file, whose last character may be cut."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError as error:
        detail = f"the file is not {encoding} text near byte {error.start}; save it as UTF-8"
        raise Unprocessable("unsupported_encoding", detail) from error
