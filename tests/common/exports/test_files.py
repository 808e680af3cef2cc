"""CSV and Excel files of exports: read again they are the rows that went in, and nothing in them is a formula."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import math
import tracemalloc
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import openpyxl
import pytest
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import Field

from common.dispositions import attachment, file_name
from common.exports import csv_file, xlsx_file
from common.exports.columns import Column, Value, cells_of, columns_of, kind_of
from common.exports.models import Layout
from common.model import Model, Timestamp, rfc3339
from common.spreadsheets import harmless

COLUMNS = [
    Column(name="text"),
    Column(name="whole", kind="integer"),
    Column(name="number", kind="number"),
    Column(name="flag", kind="flag"),
    Column(name="day", kind="day"),
    Column(name="moment", kind="timestamp"),
]
MOMENTS = st.datetimes(datetime(1901, 1, 1), datetime(9999, 12, 30)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ROWS = st.lists(
    st.tuples(
        TEXTS | st.none(),
        st.integers(-(10**14), 10**14) | st.none(),
        st.floats(allow_nan=False, allow_infinity=False) | st.none(),
        st.booleans() | st.none(),
        st.dates(datetime(1901, 1, 1).date(), datetime(9999, 12, 30).date()).map(str) | st.none(),  # noqa: DTZ001
        MOMENTS.map(rfc3339) | st.none(),
    ),
    max_size=12,
)
FORMULAS = (
    *(
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\ufeff=1",
        "\uff1d1+1",
        "-2+3+cmd|' /C calc'!A0",
    ),
    *('=HYPERLINK("http://example.com","x")', "+49 30 1234", "--", "=", "@"),
)


def as_csv(rows: Sequence[Sequence[Value]], **layout: Any) -> str:
    return b"".join(csv_file.encoded(COLUMNS, rows, Layout(**layout))).decode()


def read_csv(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter))


def as_workbook(rows: Any, **options: Any) -> tuple[bytes, xlsx_file.Told]:
    told = xlsx_file.Told()
    return b"".join(xlsx_file.encoded(COLUMNS, rows, "rows", told, **options)), told


def read_workbook(content: bytes) -> list[list[list[Any]]]:
    sheets = openpyxl.load_workbook(io.BytesIO(content)).worksheets
    return [[[cell.value for cell in row] for row in sheet.iter_rows(max_col=len(COLUMNS))] for sheet in sheets]


# ---------------------------------------------------------------------- formulas


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_text_becomes_a_formula(formula: str) -> None:
    row = [formula, None, None, None, None, None]
    for delimiter in ("comma", "semicolon", "tab"):
        [_, found] = read_csv(as_csv([row], delimiter=delimiter), csv_file.DELIMITERS[delimiter])
        assert found[0] == f"'{formula}"
    [sheet] = openpyxl.load_workbook(io.BytesIO(as_workbook([row])[0])).worksheets
    assert sheet["A2"].data_type == "s"


@examples(max_examples=150)
@given(st.text(), st.sampled_from([",", ";", "\t", " "]))
@example("a;=1+1", ";")
@example('"\n=1', "\t")
def test_no_cell_begins_with_a_formula_whatever_delimiter_a_program_guesses(text: str, guessed: str) -> None:
    content = b"".join(csv_file.encoded(COLUMNS[:1], [[text]], Layout(bom=False))).decode()
    line = content.split("\r\n", 1)[1]
    for cell in next(csv.reader(io.StringIO(line, newline=""), delimiter=guessed)):
        assert harmless(cell) == cell


@pytest.mark.parametrize("number", ["-5", "+5", "-1.5", "-1,5", "-5 %", "12"])
def test_a_text_that_is_a_number_is_left_alone(number: str) -> None:
    assert harmless(number) == number


def test_numbers_are_numbers() -> None:
    row: list[Value] = ["-7", -7, -7.25, False, None, None]
    [_, found] = read_csv(as_csv([row]))
    assert found[:4] == ["-7", "-7", "-7.25", "false"]
    line = as_csv([row]).split("\r\n")[1]
    assert line.startswith('"-7",-7,-7.25,'), "numbers stand bare, texts are quoted"
    [[_, cells]] = read_workbook(as_workbook([row])[0])
    assert cells[:4] == ["-7", -7, -7.25, False]


# ---------------------------------------------------------------------- CSV


@examples(max_examples=50)
@given(ROWS, st.sampled_from(["comma", "semicolon", "tab"]), st.booleans(), st.sampled_from(["point", "comma"]))
def test_csv_reads_back(rows: list[tuple[Any, ...]], delimiter: str, bom: bool, decimal: str) -> None:
    text = as_csv(rows, delimiter=delimiter, bom=bom, decimal=decimal)
    assert text.startswith("\ufeff") is bom
    assert text.endswith("\r\n")
    heading, *found = read_csv(text, csv_file.DELIMITERS[delimiter])
    assert heading == [column.name for column in COLUMNS]
    assert len(found) == len(rows)
    for cells, row in zip(found, rows, strict=True):
        expected = "" if row[0] is None else harmless(row[0])
        assert cells[0] == expected
        assert cells[1] == ("" if row[1] is None else str(row[1]))
        number = cells[2].replace(",", ".") if decimal == "comma" else cells[2]
        assert (None if number == "" else float(number)) == row[2]
        assert cells[3] == {None: "", True: "true", False: "false"}[row[3]]
        assert cells[4:] == [row[4] or "", row[5] or ""]


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ({}, (",", ".")),
        ({"locale": "en-US"}, (",", ".")),
        ({"locale": "de"}, (";", ",")),
        ({"locale": "de-DE"}, (";", ",")),
        ({"locale": "de-CH"}, (",", ".")),
        ({"locale": "es-MX"}, (",", ".")),
        ({"locale": "fr-FR", "delimiter": "tab"}, ("\t", ",")),
        ({"locale": "it", "decimal": "point"}, (";", ".")),
        ({"locale": "ja-JP"}, (",", ".")),
    ],
)
def test_notation_follows_the_locale(layout: dict[str, Any], expected: tuple[str, str]) -> None:
    assert csv_file.notation(Layout(**layout)) == expected


def test_a_decimal_comma_next_to_commas_is_quoted() -> None:
    text = as_csv([["a", 1, 1.5, None, None, None]], decimal="comma", delimiter="comma")
    assert text.split("\r\n")[1] == '"a",1,"1,5",,,'


def test_numbers_that_are_none_are_empty() -> None:
    [_, found] = read_csv(as_csv([["x", None, math.nan, None, None, None]]))
    assert found == ["x", "", "", "", "", ""]


# ---------------------------------------------------------------------- workbooks


def unescaped(text: str | None) -> str | None:
    """Return a text of a cell as Excel shows it (ST_Xstring)."""
    from openpyxl.utils.escape import unescape

    return None if text is None else unescape(text)


def near(cell: datetime | None, told: str | None) -> bool:
    """Whether a time is within the precision of a workbook."""
    if cell is None or told is None:
        return cell is None and told is None
    return abs(cell.replace(tzinfo=UTC) - datetime.fromisoformat(told)) < timedelta(milliseconds=2)


@examples(max_examples=40)
@given(ROWS)
@example([("_x0041_", None, None, None, None, None), ("\x00\x0b\r\ufffe", 0, -0.0, None, None, None)])
@example([("  two  spaces\n", 1, 1e300, True, "1901-01-01", "2026-01-31T23:59:59.999999Z")])
def test_workbook_reads_back(rows: list[tuple[Any, ...]]) -> None:
    [[heading, *found]] = read_workbook(as_workbook(rows)[0])
    assert heading == [column.name for column in COLUMNS]
    found += [[None] * len(COLUMNS)] * (len(rows) - len(found))  # rows without any cell at the end
    for cells, row in zip(found, rows, strict=True):
        text = None if row[0] is None else row[0].replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
        assert (unescaped(cells[0]) or "") == (text or "")
        assert cells[1:4] == list(row[1:4])
        assert near(cells[4], None if row[4] is None else f"{row[4]}T00:00:00Z")
        assert near(cells[5], row[5])


@examples(max_examples=20)
@given(ROWS)
def test_equal_rows_make_equal_bytes(rows: list[tuple[Any, ...]]) -> None:
    one, other = (hashlib.sha256(as_workbook(iter(rows))[0]).digest() for _ in range(2))
    assert one == other


def test_entries_of_a_workbook_carry_no_time_of_writing() -> None:
    with zipfile.ZipFile(io.BytesIO(as_workbook([])[0])) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.testzip() is None


@pytest.mark.parametrize(("rows", "sheets"), [(0, [1]), (1, [2]), (4, [5]), (5, [5, 2]), (9, [5, 5, 2])])
def test_rows_beyond_a_sheet_go_to_the_next(rows: int, sheets: list[int]) -> None:
    content, told = as_workbook([[str(number), number, None, None, None, None] for number in range(rows)], sheet_rows=5)
    found = read_workbook(content)
    assert [len(sheet) for sheet in found] == sheets
    assert told.sheets == len(sheets)
    assert [row[1] for sheet in found for row in sheet[1:]] == list(range(rows))
    assert all(sheet[0][0] == "text" for sheet in found)


def test_a_sheet_takes_what_excel_takes() -> None:
    assert xlsx_file.ROWS == 1_048_576
    assert xlsx_file.LONGEST_TEXT == 32_767


def test_what_a_cell_cannot_hold_is_told() -> None:
    long = "x" * 40_000
    content, told = as_workbook([[long, 10**17, math.inf, None, "0001-01-01", "0001-01-01T00:00:00.000000Z"]])
    [[_, cells]] = read_workbook(content)
    assert told.shortened == 1
    assert len(cells[0]) == 32_767
    assert cells[1] == str(10**17), "a cell would round it"
    assert cells[2] is None
    assert cells[4:] == ["0001-01-01", "0001-01-01T00:00:00.000000Z"], "days before 1900 are texts"


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_hundred_thousand_rows_need_little_memory(kind: str) -> None:
    columns = COLUMNS[:1]
    rows = itertools.repeat(["a keyword of the usual length"], 100_000)
    told = xlsx_file.Told()
    chunks = (
        csv_file.encoded(columns, rows, Layout()) if kind == "csv" else xlsx_file.encoded(columns, rows, "rows", told)
    )
    tracemalloc.start()
    try:
        size = sum(len(chunk) for chunk in chunks)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > (3_000_000 if kind == "csv" else 300_000)
    assert peak < 3_000_000, "some blocks of 256 KiB, whatever the number of rows"


# ---------------------------------------------------------------------- columns and names


class Sample(Model):
    """A row."""

    name: str
    count: int | None = None
    share: float | int = 0.0
    seen: bool = False
    at: Timestamp | None = None
    day: str | None = None
    words: list[str] = Field(default_factory=list)
    parts: dict[str, float] = Field(default_factory=dict)


def test_columns_follow_the_model() -> None:
    kinds = {column.name: column.kind for column in columns_of(Sample, leave_out={"seen"}, days={"day"})}
    assert kinds == {
        "name": "text",
        "count": "integer",
        "share": "number",
        "at": "timestamp",
        "day": "day",
        "words": "text",
        "parts": "text",
    }
    assert kind_of(int | str) == "text"


def test_cells_of_a_row() -> None:
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    row = Sample(name="a", at=at, words=["x", "y"], parts={"b": 1, "a": 2})
    found = cells_of(vars(row), columns_of(Sample))
    assert found == ["a", None, 0.0, False, rfc3339(at), None, "x; y", '{"a": 2.0, "b": 1.0}']


@given(st.text(max_size=300))
@example('a"; filename="b')
@example("\r\nSet-Cookie: x")
@example("../../etc/passwd")
@example("\u202ecod.exe")
def test_a_file_name_is_safe_whatever_a_tenant_wrote(text: str) -> None:
    name = file_name(text, "csv", otherwise="export")
    assert name.endswith(".csv")
    assert len(name) <= 130
    assert not set(name) & set('<>:"/\\|?*\r\n\t\0\u202e')
    assert not name.startswith(".")
    header = attachment(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


def test_a_file_name_keeps_its_letters() -> None:
    assert file_name("Übersicht für 東京", "xlsx", otherwise="export") == "Übersicht für 東京.xlsx"
    assert "%E6%9D%B1" in attachment("東京.csv")
    assert file_name(" .. ", "csv", otherwise="export") == "export.csv"
