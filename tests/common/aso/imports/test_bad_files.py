"""Files that are cut, mixed up, too long, of another kind or full of traps: a clear refusal, and nothing lost."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.imports import plan as plan_module
from common.aso.imports.plan import MOST_ROWS, Plan
from common.aso.imports.reader import Text, rows_of, text_of
from common.aso.imports.recognise import looked_at
from common.aso.imports.rows import parsed_rows
from common.errors import Refusal, Unprocessable
from common.spreadsheets import harmless
from tests.common.aso.imports.files import UNKNOWN_PERIOD, codes, parsed, planned

TABLE = "keyword,volume,kd\r\n" + "".join(f"wort {n} größe,{n},{n % 100}\r\n" for n in range(50))


def archive(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (archive("[Content_Types].xml", "xl/workbook.xml"), "save the sheet as CSV UTF-8"),
        (archive("Queries.csv", "Pages.csv"), "unpack it and send one of its tables"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save the sheet as CSV UTF-8"),
        (b"\x1f\x8b\x08\x00", "send it uncompressed"),
        (b'{"rows": []}', "send a CSV file"),
    ],
)
def test_another_kind_of_file_is_refused_with_advice(content: bytes, advice: str) -> None:
    with pytest.raises(Refusal) as refusal:
        planned(content)
    assert (refusal.value.status, refusal.value.code) == (415, "unsupported_file_type")
    assert advice in refusal.value.detail


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_of_a_cut_file_every_whole_row_is_read_and_the_last_is_never_taken_for_one(encoding: str) -> None:
    """Cut anywhere, even within a character: rows are those of the whole file, and the cut one is refused or whole."""
    whole = TABLE.encode(encoding)
    expected = [(row.keyword, dict(row.metrics)) for row in parsed(whole)]
    unit = 2 if encoding.startswith("utf-16") else 1
    for length in range(len(whole) - 60 * unit, len(whole)):
        rows = parsed(whole[:length])
        good = [(row.keyword, dict(row.metrics)) for row in rows if not row.problems]
        # A row of three cells whose last number was cut is the one thing that nobody can tell.
        assert good[:-1] == expected[: len(good) - 1]
        if good[-1] != expected[len(good) - 1]:
            assert good[-1][0] == expected[len(good) - 1][0]
            continue
        assert len(rows) - len(good) <= 1
        assert all("truncated_row" in [code for _, code in codes(row)] for row in rows[len(good) :])


def test_a_file_that_ends_within_a_quotation_is_told() -> None:
    plan = planned(b'keyword,volume\na,1\n"b, or n')
    assert (plan.cut_row, [warned.code for warned in plan.warnings]) == (3, ["truncated_file"])
    rows = parsed(b'keyword,volume\na,1\n"b, or n')
    assert [codes(row) for row in rows] == [[], [("", "truncated_row")]]


def test_a_file_without_a_line_break_at_its_end_is_whole() -> None:
    assert planned(b"keyword,volume\na,1\nb,2").cut_row is None
    assert planned(b'keyword,volume\na,1\nb,"2"').cut_row is None


def test_rows_shorter_than_the_header_are_whole_where_others_are_as_short() -> None:
    assert planned(b"keyword,volume,note\na,1\nb,2").cut_row is None
    assert planned(b"keyword,volume,note\na,1,x\nb,2").cut_row == 3


def test_delimiters_at_the_end_of_rows_are_no_cells() -> None:
    rows = parsed(b"keyword,volume,,\na,1,,,,\nb,2\n")
    assert [(row.keyword, row.metrics, row.problems) for row in rows] == [
        ("a", {"search_volume": 1}, ()),
        ("b", {"search_volume": 2}, ()),
    ]


def test_formulas_stay_text_and_are_guarded_where_a_spreadsheet_reads_them() -> None:
    formulas = ["=1+1", "+cmd|' /c calc'!A1", "@SUM(A1)", '=HYPERLINK("x")', "-2+3+cmd"]
    content = "keyword,volume\n" + "".join(f'"{each.replace(chr(34), chr(34) * 2)}",5\n' for each in formulas)
    rows = parsed(content.encode())
    assert [row.keyword for row in rows] == formulas
    guarded = [harmless(row.keyword) for row in rows]
    assert all(cell.startswith("'") for cell in guarded)
    returned = "keyword,volume,row_number,errors\n" + "".join(
        f'"{each.replace(chr(34), chr(34) * 2)}",5,2,x\n' for each in guarded
    )
    assert [row.keyword for row in parsed(returned.encode())] == formulas


@pytest.mark.parametrize("name", ["(other)", "(not provided)", "(Not Set)"])
def test_what_stands_for_rows_that_are_not_listed_is_no_keyword(name: str) -> None:
    rows = parsed(f"keyword,volume\na,1\n{name},500\n".encode())
    assert [codes(row) for row in rows] == [[], [("", "summary_row")]]


@pytest.mark.parametrize("name", ["Total", "Gesamt", "", "合計", "other"])
def test_a_row_of_sums_is_no_keyword(name: str) -> None:
    content = f"Query,Clicks,Impressions,CTR,Position\na,1,10,10%,2\nb,2,30,6%,3\n{name},3,40,7%,2\n".encode()
    assert [codes(row)[-1:] for row in parsed(content)] == [[], [], [("", "summary_row")]]


def test_a_keyword_called_total_is_a_keyword() -> None:
    rows = parsed(b"Query,Clicks,Impressions,CTR,Position\na,1,10,10%,2\nb,2,30,6%,3\ntotal,5,90,7%,2\nc,1,1,100%,1\n")
    assert [row.keyword for row in rows if not row.problems] == ["a", "b", "total", "c"]


class Generated(io.RawIOBase):
    """A file of as many rows as one likes, of which nobody holds more than a line."""

    def __init__(self, rows: int) -> None:
        head = [b"keyword,volume\n"]
        self._lines: Iterator[bytes] = itertools.chain(head, (b"keyword %d,%d\n" % (n, n) for n in range(rows)))
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while len(self._rest) < len(buffer):
            line = next(self._lines, None)
            if line is None:
                break
            self._rest += line
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def streamed(rows: int) -> int:
    """Return how many rows are read of a file of so many."""
    text = Text(encoding="utf-8", length=2**40)
    return sum(1 for _ in rows_of(io.BufferedReader(Generated(rows)), text, ",", 1))


def test_a_million_rows_are_streamed() -> None:
    assert streamed(1_000_000) == 1_000_000


def test_five_times_the_rows_take_no_more_memory() -> None:
    few, many = peak_of(10_000), peak_of(50_000)
    assert many < few * 1.2 < 5_000_000


def peak_of(rows: int) -> int:
    """Return the most bytes that reading holds, in a process of its own: threads of this one allocate, too."""
    code = f"from {__name__} import traced_peak; print(traced_peak({rows}))"
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def traced_peak(rows: int) -> int:
    """Return the most bytes that reading a file of so many rows holds at once."""
    streamed(100)  # what is allocated once, whatever is read
    tracemalloc.start()
    streamed(rows)
    return tracemalloc.get_traced_memory()[1]


def test_more_rows_than_are_taken_are_refused_before_anything_is_stored() -> None:
    content = b"keyword\n" + b"a\n" * (MOST_ROWS + 1)
    with pytest.raises(Unprocessable) as refusal:
        planned(content)
    assert (refusal.value.code, refusal.value.details) == ("too_many_rows", {"most": MOST_ROWS})


def test_the_limit_itself_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "MOST_ROWS", 3)
    assert planned(b"keyword\na\n\nb\nc\n").rows == 3
    with pytest.raises(Unprocessable):
        planned(b"keyword\na\nb\nc\nd\n")


@pytest.mark.parametrize(
    "header", [",".join(f"c{n}" for n in range(2100)), "keyword," + "x" * 120_000 + "," + "y" * 60_000]
)
def test_a_header_beyond_all_measure_is_refused(header: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        planned(f"keyword,{header}\na\n".encode())
    assert refusal.value.code in {"too_many_columns", "duplicate_columns", "missing_header"}


def test_a_plan_survives_being_stored() -> None:
    plan = planned("keyword\tvolume\na\t1.234\n".encode("utf-16"))
    again = Plan.model_validate(plan.model_dump(mode="json"))
    assert again == plan
    content = "keyword\tvolume\na\t1.234\n".encode("utf-16")
    assert list(parsed_rows(io.BytesIO(content), again, UNKNOWN_PERIOD)) == parsed(content)


@given(content=st.binary(max_size=400), start=st.sampled_from(["Keyword,a_20260101,b_20261399,Search Volume\n", ""]))
def test_any_bytes_are_looked_at_without_a_failure_of_ours(content: bytes, start: str) -> None:
    file = start.encode() + content
    try:
        looked_at(file, text_of(file))
        planned(file)
    except Refusal:
        return


@given(
    text=st.text(
        st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.sampled_from(',;\t|"\n\r%-'), max_size=200
    ),
    header=st.sampled_from(
        [
            "Top queries,Clicks,Impressions,CTR,Position",
            "Keyword,Volume,KD,Current position,Current URL,Organic traffic",
            "Keyword,*.a.example/*_20260101,*.b.example/*_20260101,Search Volume",
            "Keyword\tAvg. monthly searches\tCompetition (indexed value)\tSearches: Jan 2025",
        ]
    ),
)
def test_any_text_below_a_known_header_becomes_rows_or_reasons(text: str, header: str) -> None:
    try:
        rows = parsed(f"{header}\n{text}".encode())
    except Refusal:
        return
    assert all(row.problems or row.keyword for row in rows)
