"""Read an uploaded table as text: what kind of file it is, its encoding, its records.

Rows are streamed; nothing holds the file as a whole. Cells stay text: ``=SUM(A1)`` is a keyword like any other.

The encoding is UTF-8 unless a byte order mark or zero bytes say UTF-16. A file that is not UTF-8 anywhere is read as
Windows-1252, which is what Excel's plain "CSV" is in Western Europe and the Americas, and its answer says so. A file
that is UTF-8 in one place and not in another is damaged and refused: reading it otherwise would garble the rest. Bytes
of an unfinished character at the very end mean that the file was cut; what is whole is read.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Literal

from common.errors import Unprocessable, UnsupportedMediaType

HEAD_BYTES = 262_144
"""How much of a file is looked at to tell what it is; a header longer than that is not one."""

SLICE = 1_048_576
DELIMITERS = ",;\t|"
SEPARATOR_LINE = re.compile(r"""^["']?sep=(.)["']?\s*$""", re.IGNORECASE)
EncodingName = Literal["utf-8", "utf-16", "utf-16-le", "utf-16-be", "windows-1252"]

BINARY_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook: save the sheet as CSV UTF-8"),
    (b"\x1f\x8b", "compressed with gzip: send it uncompressed"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3\x00", "a database"),
)
ARCHIVE = b"PK\x03\x04"
HTML_OR_JSON = re.compile(r"^\s*(<!doctype|<html|<\?xml|[{\[])", re.IGNORECASE)
BYTE_ORDER_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF8_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """How the bytes of a file become text.

    Attributes:
        encoding: Python's name of the encoding; a byte order mark is taken away by it.
        length: Bytes to read: all but an unfinished character at the end.
        cut: Whether there is one.
        fallback: Whether the encoding was taken because nothing better fits.
    """

    encoding: str
    length: int
    cut: bool = False
    fallback: bool = False


@dataclass(kw_only=True, slots=True)
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

    @property
    def blank(self) -> bool:
        """Whether there is nothing in it."""
        return self.unreadable is None and not any(cell.strip() for cell in self.cells)


def text_of(content: bytes, wanted: EncodingName | None = None) -> Text:
    """Find out how a whole file is encoded, by decoding it and throwing the text away.

    Args:
        content: The file.
        wanted: The encoding that the caller says it has.

    Raises:
        UnsupportedMediaType: ``unsupported_file_type``: not text.
        Unprocessable: ``unsupported_encoding``, with the offset of the first byte that does not fit; ``empty_file``.
    """
    _refuse_binary(content)
    encoding = _encoding_of(content, wanted)
    try:
        pending = _decoded(content, encoding)
    except UnicodeDecodeError as error:
        if wanted is None and encoding == "utf-8" and _is_windows_1252(content):
            return Text(encoding="windows-1252", length=len(content), fallback=True)
        detail = f"the file is not {encoding} text near byte {error.start}; save it as UTF-8"
        raise Unprocessable("unsupported_encoding", detail) from error
    found = Text(encoding=encoding, length=len(content) - pending, cut=pending > 0)
    head = head_of(content, found)
    if not head.strip():
        raise Unprocessable("empty_file", "the file is empty")
    if HTML_OR_JSON.match(head):
        raise UnsupportedMediaType("unsupported_file_type", "the file holds HTML, XML or JSON; send a CSV file")
    return found


def head_of(content: bytes, text: Text) -> str:
    """Return the beginning of a file as text; its last character may be cut off."""
    return codecs.getincrementaldecoder(text.encoding)().decode(content[: min(text.length, HEAD_BYTES)])


def opened(source: IO[bytes], text: Text) -> io.TextIOWrapper:
    """Return a file as text, up to where it is whole."""
    limited = io.BufferedReader(_Limited(source, text.length), buffer_size=65_536)
    return io.TextIOWrapper(limited, encoding=text.encoding, newline="")


def rows_of(source: IO[bytes], text: Text, delimiter: str, header_row: int) -> Iterator[Row]:
    """Stream the rows after the header; blank lines are left out."""
    for row in records(opened(source, text), delimiter):
        if row.number > header_row and not row.blank:
            yield row


def records(lines: Iterator[str] | io.TextIOBase, delimiter: str) -> Iterator[Row]:
    """Stream the records of a text."""
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


def declared_delimiter(head: str) -> str | None:
    """Return the delimiter that the first line declares for Excel (``sep=;``), or None."""
    match = SEPARATOR_LINE.match(head.splitlines()[0])
    return match[1] if match else None


def ends_within(content: bytes, text: Text, delimiter: str, last: Row, usual: int) -> bool:
    """Return whether a file ends within its last row.

    It does where a character or a quotation is unfinished, or where neither a line break nor as many cells as in the
    other rows stand at the end. A number that lost its last digits cannot be told from a whole one.

    Args:
        content: The file.
        text: How it is read.
        delimiter: Between cells.
        last: Its last row.
        usual: Cells of the shortest other row.
    """
    if text.cut:
        return True
    rest = "".join(itertools.islice(opened(io.BytesIO(content), text), last.number - 1, None))
    if last.unreadable is None and not rest.endswith(("\n", "\r")) and len(last.cells) < usual:
        return True
    try:
        list(csv.reader([rest], delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "end of data" in str(error)
    return False


def _refuse_binary(content: bytes) -> None:
    for signature, what in BINARY_SIGNATURES:
        if content.startswith(signature):
            raise UnsupportedMediaType("unsupported_file_type", f"the file is {what}")
    if content.startswith(ARCHIVE):
        # Workbooks keep what is shown (a date, a percentage) apart from what is stored, and hold several sheets: which
        # of them was meant, and how a cell was shown, cannot be known here, but in the program that has it open.
        workbook = b"[Content_Types].xml" in content[:4096] or b"xl/" in content[:4096]
        advice = "an Excel workbook: save the sheet as CSV UTF-8" if workbook else "a ZIP archive: unpack it and send "
        raise UnsupportedMediaType(
            "unsupported_file_type", f"the file is {advice}{'' if workbook else 'one of its tables'}"
        )


def _encoding_of(content: bytes, wanted: EncodingName | None) -> str:
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark) and wanted in {None, encoding.removesuffix("-sig")}:
            return encoding
    if wanted is not None:
        return wanted
    sample = content[:4096]
    if b"\x00" not in sample:
        return "utf-8"
    # No text but UTF-16 has zero bytes. Read in the right order it has no control characters, and more letters, digits
    # and separators of ASCII than read in the other.
    scores = {order: _plausible(sample, order) for order in ("utf-16-le", "utf-16-be")}
    best = max(scores, key=lambda order: scores[order])
    if scores[best] <= 0:
        raise UnsupportedMediaType("unsupported_file_type", "the file is not text")
    return best


def _plausible(sample: bytes, encoding: str) -> int:
    text = sample[: len(sample) // 2 * 2].decode(encoding, "replace")
    if any(unicodedata.category(each) in {"Cc", "Cn", "Co"} and each not in "\t\r\n" for each in text[:-1]):
        return 0
    return sum(character.isascii() for character in text)


def _decoded(content: bytes, encoding: str) -> int:
    """Decode everything; return how many bytes at the end are an unfinished character."""
    decoder: Any = codecs.getincrementaldecoder(encoding)()
    for start in range(0, len(content), SLICE):
        try:
            decoder.decode(content[start : start + SLICE])
        except UnicodeDecodeError as error:
            # The decoder counts from the bytes that it kept of the slice before.
            error.start += start + min(SLICE, len(content) - start) - len(error.object)
            raise
    return len(decoder.getstate()[0])


def _is_windows_1252(content: bytes) -> bool:
    if _UTF8_SEQUENCE.search(content):
        return False
    try:
        text = content.decode("windows-1252")
    except UnicodeDecodeError:
        return False
    return not any(character in text for character in "\x00\x07\x1b")


class _Limited(io.RawIOBase):
    """The first bytes of another file.

    Args:
        source: The file.
        length: How many.
    """

    def __init__(self, source: IO[bytes], length: int) -> None:
        self._source = source
        self._left = length

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; 0 at the end."""
        found = self._source.read(min(len(buffer), self._left))
        buffer[: len(found)] = found
        self._left -= len(found)
        return len(found)
