"""Cells and the evidence of columns: what is written in any country is read back, and nothing is guessed."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.imports.cells import CellProblem, Mark, day, decimal, position, share, volume, whole
from common.aso.imports.marks import Votes, decided, proof
from tests.common.aso.imports.files import parsed, planned

GROUPS = ["", ",", ".", " ", "\u00a0", "\u202f", "\u2009", "'", "\u2019"]
MARKS: dict[Mark, str] = {"point": ".", "comma": ","}
CONVENTIONS = [(mark, point, group) for mark, point in MARKS.items() for group in GROUPS if group != point]


def written(text: str, point: str, group: str) -> str:
    """Return a number as Python writes it with commas and a point, in another convention."""
    return text.replace(",", "\0").replace(".", point).replace("\0", group)


@given(number=st.integers(min_value=0, max_value=2**53), group=st.sampled_from(GROUPS))
def test_whole_numbers_survive_every_locale(number: int, group: str) -> None:
    assert whole(written(f"{number:,}", ".", group)) == number


@given(
    number=st.integers(min_value=-(10**12), max_value=10**12),
    digits=st.integers(min_value=0, max_value=4),
    convention=st.sampled_from(CONVENTIONS),
)
def test_decimals_survive_every_locale(number: int, digits: int, convention: tuple[Mark, str, str]) -> None:
    mark, point, group = convention
    value = number / 10**digits
    assert decimal(written(f"{value:,.{digits}f}", point, group), least=-1e12, most=1e12, mark=mark) == value


@given(
    hundredths=st.integers(min_value=0, max_value=10_000),
    convention=st.sampled_from(CONVENTIONS),
    sign=st.sampled_from(["%", " %", "\u00a0%", "\u202f%"]),
)
def test_shares_survive_every_locale(hundredths: int, convention: tuple[Mark, str, str], sign: str) -> None:
    mark, point, _ = convention
    text = f"{hundredths / 100:.2f}".replace(".", point) + sign
    assert share(text, mark=mark) == pytest.approx(hundredths / 10_000)


@given(
    values=st.lists(st.integers(min_value=1, max_value=99_999_999), min_size=1, max_size=6),
    digits=st.sampled_from([1, 2, 4]),
    convention=st.sampled_from(CONVENTIONS),
)
def test_a_column_of_decimals_is_read_by_its_own_evidence(
    values: list[int], digits: int, convention: tuple[Mark, str, str]
) -> None:
    """Written with other than three digits after the mark, every cell proves it, whatever groups the thousands."""
    mark, point, group = convention
    votes = Votes()
    texts = [written(f"{value / 10**digits:,.{digits}f}", point, group) for value in values]
    for text in texts:
        votes.add(text)
    assert decided({"x": votes}, ",", None)["x"].mark == mark
    assert [decimal(text, least=0, most=1e9, mark=mark) for text in texts] == [value / 10**digits for value in values]


@pytest.mark.parametrize(
    ("cell", "is_whole", "found"),
    [
        ("1.234,5", False, "comma"),
        ("1,234.5", False, "point"),
        ("1.234.567", False, "comma"),
        ("1,234,567", False, "point"),
        ("4,17 %", False, "comma"),
        ("0.123", False, "point"),
        (".5", False, "point"),
        ("1234.567", False, "point"),
        ("1.234", False, "ambiguous"),
        ("1.234", True, "comma"),
        ("1,234", True, "point"),
        ("12.0", True, "point"),
        ("1 234,5", False, "comma"),
        ("1\u2019234.50", False, "point"),
        ("qr 1.2", False, None),
        ("2026-01-31", False, None),
        ("7", False, None),
    ],
)
def test_what_one_cell_proves(cell: str, is_whole: bool, found: str | None) -> None:
    assert proof(cell, whole=is_whole) == found


def kd(content: bytes) -> tuple[str, str]:
    plan = planned(content)
    return plan.marks["difficulty"], plan.evidence["difficulty"]


def test_what_decides_an_ambiguous_column_in_order() -> None:
    assert kd(b"keyword,kd\na,1.234\nb,2.5\n")[0] == "point"
    assert kd(b"keyword,volume,kd\na,1.095.056,1.234\n") == ("comma", "'1.095.056' in another column")
    assert kd(b"keyword;volume;kd\na;12,400,000;1.234\n") == ("point", "'12,400,000' in another column")
    assert kd(b"keyword;kd\na;1.234\n")[0] == "comma"
    assert kd(b"Suchbegriff\tSchwierigkeit\na\t1.234\n")[0] == "comma"
    assert kd(b"keyword\tkd\na\t1.234\n") == ("point", "nothing proves it; a point is the rule")


def test_a_column_of_both_marks_refuses_only_what_could_be_either() -> None:
    content = b'keyword,kd\na,1.5\nb,"2,5"\nc,1.234\nd,7\n'
    plan = planned(content)
    assert (plan.marks["difficulty"], [warned.code for warned in plan.warnings]) == ("mixed", ["mixed_decimal_marks"])
    rows = parsed(content)
    assert [row.metrics.get("difficulty_score") for row in rows] == [1.5, 2.5, None, 7.0]
    assert [problem.code for problem in rows[2].problems] == ["ambiguous_number"]


def test_a_cell_that_contradicts_the_column_is_refused_and_never_read_another_way() -> None:
    for cell, mark in (("1.234,5", "point"), ("1,234.5", "comma"), ("4,17", "point"), ("4.17", "comma")):
        with pytest.raises(CellProblem, match=f"decimal {mark}") as problem:
            decimal(cell, least=0, most=1e9, mark=mark)  # type: ignore[arg-type]
        assert problem.value.code == "invalid_number"


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("1K \u2013 10K", (3162, True)),
        ("100K-1M", (316228, True)),
        ("10 - 100", (32, True)),
        ("10,000 \u2013 100,000", (31623, True)),
        ("0 - 10", (5, True)),
        ("<10", (5, True)),
        ("2.4K", (2400, False)),
        ("2,4 Tsd.", (2400, False)),
        ("1M+", (1_000_000, False)),
        ("10,95,056", (1_095_056, False)),
        ("0", (0, False)),
        ("n/a", None),
        ("-", None),
        ("\u2013", None),
        ("--", None),
        ("", None),
    ],
)
def test_volumes_as_tools_write_them(cell: str, found: tuple[int, bool] | None) -> None:
    assert volume(cell) == found


@pytest.mark.parametrize("cell", ["10K - 1K", "K", "1X", "1-2-3", "about 5", "-5", "1..5"])
def test_what_is_no_volume_is_refused(cell: str) -> None:
    with pytest.raises(CellProblem):
        volume(cell)


@pytest.mark.parametrize(
    ("cell", "found"),
    [("7", (7.0, None)), ("12.4", (12.4, None)), (">100", (None, 100)), ("> 50", (None, 50)), ("100+", (None, 100))],
)
def test_positions_as_tools_write_them(cell: str, found: tuple[float | None, int | None]) -> None:
    assert position(cell, mark="point") == found


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("2026-01-31", "2026-01-31"),
        ("20260131", "2026-01-31"),
        ("31.1.2026", "2026-01-31"),
        ("2026-01-31 04:11:09", "2026-01-31"),
        ("2026-01-31T23:30:00-05:00", "2026-02-01"),
        ("-", None),
    ],
)
def test_days_as_tools_write_them(cell: str, found: str | None) -> None:
    assert day(cell, latest=date(2026, 5, 1)) == found


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("01/02/2026", "ambiguous_date"),
        ("31.02.2026", "invalid_date"),
        ("yesterday", "invalid_date"),
        ("2026-06-01", "date_in_future"),
        ("9999-12-31T23:59:59-12:00", "invalid_date"),
    ],
)
def test_days_that_cannot_be_are_refused(cell: str, code: str) -> None:
    with pytest.raises(CellProblem) as problem:
        day(cell, latest=date(2026, 5, 1))
    assert problem.value.code == code
