"""Search Console exports and plain tables, cell by cell."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.imports import plain_csv
from common.aso.imports.cells import CellProblem, decimal, share, whole
from common.aso.imports.table import Circumstances, columns_of
from common.errors import Refusal, Unprocessable
from tests.common.aso.imports.files import TODAY, codes, parsed, planned

SAMPLES = Path(__file__).parents[4] / "triggers" / "demo" / "data"


def test_the_sample_export_is_read_as_it_stands() -> None:
    rows = parsed((SAMPLES / "search-console-queries.csv").read_bytes())
    assert len(rows) == 40
    assert all(not row.problems for row in rows)
    by_keyword = {row.keyword: row for row in rows}
    assert {
        "velo workshop manual\\",
        "=bike+repair",
        "brake pads & rotors, which ones",
        '"tubeless" ready meaning',
    } <= set(by_keyword)
    assert "https://www.velo-workshop.example/guides/wheel-truing" in by_keyword
    row = by_keyword["साइकिल मरम्मत"]
    assert row.metrics == {"observed_impressions": 960, "observed_clicks": 41, "observed_until": "2026-05-17"}
    assert len(row.ranks) == 1
    assert (row.ranks[0]["position"], row.ranks[0]["date"], row.ranks[0]["device"]) == (10.07, "2026-05-17", "all")


def test_the_sample_of_metrics_is_read_as_it_stands() -> None:
    rows = parsed((SAMPLES / "keyword-metrics.csv").read_bytes())
    assert len(rows) == 20
    assert all(not row.problems for row in rows)
    [missing] = {row.keyword: row.ranks for row in rows}["tubeless conversion cost"]
    assert (missing["state"], missing["position"], missing["depth"]) == ("not_found", None, 100)


def test_a_known_period_is_kept_with_the_numbers() -> None:
    period = Circumstances(as_of=date(2026, 4, 30), days=28, latest=TODAY)
    row = parsed(b"Query,Clicks,Impressions,CTR,Position\na,1,10,10%,3\n", period)[0]
    assert row.metrics["observed_days"] == 28
    assert row.metrics["observed_until"] == "2026-04-30"
    assert [rank["date"] for rank in row.ranks] == ["2026-04-30"]


@pytest.mark.parametrize(
    "header",
    [
        "Top queries,Clicks,Impressions,CTR,Position",
        "Query,Clicks,Impressions,Average position",
        "Häufigste Suchanfragen;Klicks;Impressionen;CTR;Position",
        "position,impressions,query",
    ],
)
def test_headers_of_search_console_in_its_variants(header: str) -> None:
    delimiter = ";" if ";" in header else ","
    cells = delimiter.join(["5"] * (header.count(delimiter) + 1))
    assert planned(f"{header}\n{cells}\n".encode()).table == "queries"


def test_a_plain_table_is_no_search_console_export() -> None:
    assert planned(b"Keyword,Volume,Position\na,1,2\n").format == "csv"
    with pytest.raises(Unprocessable) as refusal:
        planned(b"Volume,Position\n1,2\n")
    assert refusal.value.code == "unknown_format"


def test_columns_come_in_any_order_under_any_of_their_names_and_unknown_ones_are_named() -> None:
    header = ("KD", "Search-Term", "Notes", "MSV", "current_position", "Tier")
    columns = columns_of(header, plain_csv.ALIASES)
    assert columns.positions == {"difficulty": 0, "keyword": 1, "search_volume": 3, "rank": 4, "priority": 5}
    assert planned(f"{','.join(header)}\n1,a,,2,3,tier1\n".encode()).ignored == ["Notes"]


@pytest.mark.parametrize("header", ["keyword,Keyword", "keyword,volume,MSV", "keyword,kd,kd"])
def test_two_columns_of_one_field_are_refused_until_a_mapping_names_one(header: str) -> None:
    content = f"{header}\na,5,6\n".encode()
    with pytest.raises(Unprocessable) as refusal:
        planned(content)
    assert refusal.value.code == "duplicate_columns"


def test_a_mapping_says_which_of_two_columns_counts() -> None:
    content = b"keyword,volume,MSV\na,5,6\n"
    assert parsed(content, mapping={"MSV": "search_volume"})[0].metrics == {"search_volume": 6}
    assert parsed(content, mapping={"MSV": None})[0].metrics == {"search_volume": 5}


def test_ignored_columns_may_have_one_name() -> None:
    plan = planned(b"keyword,x,x\na,5,6\n")
    assert [warned.code for warned in plan.warnings] == ["repeated_column_name"]


def test_every_wrong_cell_is_told_with_row_column_and_reason() -> None:
    content = (
        b"Keyword,Volume,KD,Rank,Date,Intent,Device,Locale\n"
        b"good,1,2,3,2026-05-01,commercial,mobile,en_us\n"
        b",many,101,0,yesterday,navigational,phone,english\n"
        b"next year,1,2,3,2027-01-01,,,\n"
        b"too,many,cells,1,2,3,4,5,6\n"
        b"short,7\n"
    )
    rows = parsed(content)
    assert [row.number for row in rows] == [2, 3, 4, 5, 6]
    assert rows[0].problems == ()
    assert [(rank["locale"], rank["device"]) for rank in rows[0].ranks] == [("en-US", "mobile")]
    assert codes(rows[1]) == [
        ("Keyword", "missing_value"),
        ("Volume", "invalid_number"),
        ("KD", "out_of_range"),
        ("Intent", "unknown_value"),
        ("Rank", "out_of_range"),
        ("Date", "invalid_date"),
        ("Device", "unknown_value"),
        ("Locale", "unknown_value"),
    ]
    assert codes(rows[2]) == [("Date", "date_in_future")]
    assert ("", "too_many_cells") in codes(rows[3])
    assert (rows[4].problems, rows[4].metrics, rows[4].ranks) == ((), {"search_volume": 7}, ())


def test_an_unbalanced_quote_is_told_where_it_begins() -> None:
    rows = parsed(b'Keyword,Volume\na,1\n"b,2\nc,3\n')
    assert [(row.number, bool(row.problems)) for row in rows] == [(2, False), (3, True)]
    assert codes(rows[1]) == [("", "truncated_row"), ("Keyword", "line_break")]


@pytest.mark.parametrize(
    ("cell", "number"), [("1,095,056", 1095056), ("1.095.056", 1095056), ("1 095", 1095), ("", None), ("-", None)]
)
def test_whole_numbers_as_tools_write_them(cell: str, number: int | None) -> None:
    assert whole(cell) == number


@pytest.mark.parametrize(("cell", "number"), [("4.17%", 0.0417), ("4,17 %", 0.0417), ("0.5", 0.5), ("100%", 1.0)])
def test_shares_as_tools_write_them(cell: str, number: float) -> None:
    assert share(cell) == pytest.approx(number)


@pytest.mark.parametrize("cell", ["1e5", "nan", "inf", "0x10", "1,2,3", "5;", "--5", "١٢"])
def test_what_only_looks_like_a_number_is_refused(cell: str) -> None:
    with pytest.raises(CellProblem):
        decimal(cell, least=0, most=1e9)


@given(st.integers(min_value=0, max_value=2**53))
def test_a_grouped_number_is_the_number(number: int) -> None:
    assert whole(f"{number:,}") == whole(str(number)) == number


@given(content=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    """Whatever is sent, it is an answer of ours: a refusal of the file, or rows with problems."""
    try:
        rows = parsed(b"Keyword,Volume,Rank\n" + content)
    except Refusal:
        return
    assert all(row.problems or row.keyword for row in rows)
