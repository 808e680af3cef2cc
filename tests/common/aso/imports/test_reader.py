"""Files as people send them: encodings, delimiters, quotes, and what is no table at all."""

from __future__ import annotations

import io

import pytest

from common.aso.imports.reader import rows_of, text_of
from common.aso.imports.recognise import looked_at
from common.errors import Refusal

TABLE = 'keyword,volume\nscanner,3\n\n"two\nlines",4\nqr स्कैनर\\,5\n'


def read(content: bytes) -> list[tuple[int, tuple[str, ...]]]:
    text = text_of(content)
    looked = looked_at(content, text)
    delimiter, match = looked.matches[0]
    rows = rows_of(io.BytesIO(content), text, delimiter, match.header.number)
    return [(row.number, row.cells) for row in rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_rows_carry_the_line_they_begin_at_in_every_encoding(encoding: str) -> None:
    rows = read(TABLE.encode(encoding))
    assert rows == [(2, ("scanner", "3")), (4, ("two\nlines", "4")), (6, ("qr स्कैनर\\", "5"))]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_line_ending_counts_as_one_line(ending: str) -> None:
    assert read(f"keyword,volume{ending}a,1{ending}{ending}b,2".encode()) == [(2, ("a", "1")), (4, ("b", "2"))]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_from_the_header(delimiter: str) -> None:
    assert read(f"keyword{delimiter}volume\na{delimiter}1\n".encode()) == [(2, ("a", "1"))]


def test_the_line_that_declares_the_separator_is_no_header() -> None:
    content = b"sep=;\nkeyword;volume\na,b;1\n"
    assert read(content) == [(3, ("a,b", "1"))]


def test_a_formula_stays_text() -> None:
    assert read(b"keyword\n=cmd|'/c calc'!A1\n") == [(2, ("=cmd|'/c calc'!A1",))]


def test_a_cell_without_end_is_one_unreadable_row_and_not_the_end_of_the_file() -> None:
    content = b"keyword\na\n" + b"x" * 140_000 + b"\nb\n"
    rows = list(rows_of(io.BytesIO(content), text_of(content), ",", 1))
    assert [(row.number, row.unreadable is None) for row in rows] == [(2, True), (3, False), (4, True)]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "empty_file"),
        (b"\xef\xbb\xbf \n\n", 422, "empty_file"),
        (b",,\n,,\n", 422, "missing_header"),
        (b"%PDF-1.7\n", 415, "unsupported_file_type"),
        (b"PK\x03\x04\x14\x00", 415, "unsupported_file_type"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 415, "unsupported_file_type"),
        (b"\x00\x01\x02\x03" * 40, 415, "unsupported_file_type"),
        (b"<!DOCTYPE html><html>", 415, "unsupported_file_type"),
        (b'{"keyword": "a"}', 415, "unsupported_file_type"),
        ("keyword\nöl\n".encode() + b"M\xfcnchen\n", 422, "unsupported_encoding"),
        (b"keyword\n\x81\n", 422, "unsupported_encoding"),
    ],
)
def test_what_is_no_table_is_refused_with_its_reason(content: bytes, status: int, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        looked_at(content, text_of(content))
    assert (refusal.value.status, refusal.value.code) == (status, code)


def test_a_byte_that_does_not_fit_is_found_anywhere_in_the_file() -> None:
    before = "ü".encode() + b"x" * 2_000_000
    with pytest.raises(Refusal, match=f"near byte {len(before)}") as refusal:
        text_of(before + b"\xff" + b"x" * 50)
    assert refusal.value.code == "unsupported_encoding"


def test_a_character_across_two_slices_is_whole() -> None:
    assert text_of(b"x" * 1_048_575 + "ü".encode()).cut is False
