"""The arithmetic of the views: shares that sum to one exactly, days in order."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.views.ranges import shown_days, stepped
from common.aso.views.share_of_voice import WHOLE, apportioned, divided
from common.errors import Unprocessable

amounts = st.floats(0, 1e12, allow_nan=False) | st.just(0.0)


@given(amounts, st.dictionaries(st.from_regex(r"[a-z]{1,8}\.com", fullmatch=True), amounts, max_size=20), amounts)
def test_shares_sum_to_one_exactly(own: float, rivals: dict[str, float], beyond: float) -> None:
    whole = own + sum(rivals.values()) + beyond
    shares = divided(whole, own, rivals)
    if not shares:
        assert whole == 0
        return
    assert sum(share.share_ppm for share in shares) == WHOLE
    assert all(0 <= share.share_ppm <= WHOLE for share in shares)
    assert [share.name for share in shares] == ["own", *rivals, "rest"]
    assert shares[0].share_ppm == pytest.approx(WHOLE * own / whole, abs=1)


@given(st.lists(amounts, min_size=1, max_size=30).filter(lambda parts: sum(parts) > 0))
def test_no_share_is_further_than_one_from_exact(parts: list[float]) -> None:
    whole = apportioned(parts)
    assert sum(whole) == WHOLE
    assert all(abs(ppm - WHOLE * part / sum(parts)) <= 1.001 for ppm, part in zip(whole, parts, strict=True))


def test_ranks_that_contradict_each_other_leave_no_rest_and_still_sum_to_one() -> None:
    shares = divided(100.0, 60.0, {"a.com": 50.0, "b.com": 10.0})
    assert [share.share_ppm for share in shares] == [500_000, 416_667, 83_333, 0]


def test_nothing_to_divide_is_no_shares() -> None:
    assert divided(0.0, 0.0, {"a.com": 0.0}) == []


def test_ranges_have_defaults_and_bounds() -> None:
    today = datetime.now(UTC).date()
    assert shown_days(None, None, 90)[1] == today
    assert shown_days(None, "2026-03-01", 8) == (date(2026, 2, 22), date(2026, 3, 1))
    for first, last, code in (
        ("2026-03-02", "2026-03-01", "invalid_range"),
        ("2024-01-01", "2026-03-01", "range_too_long"),
        (None, "0001-01-05", "invalid_range"),
        ("0001-01-01", None, "invalid_range"),
    ):
        with pytest.raises(Unprocessable) as caught:
            shown_days(first, last, 90)
        assert caught.value.code == code


@given(st.dates(date(2020, 1, 1), date(2026, 1, 1)), st.integers(0, 400), st.sampled_from([1, 7, 30]))
def test_steps_end_on_the_last_day_and_stay_within(last: date, length: int, step: int) -> None:
    first = date.fromordinal(last.toordinal() - length)
    days = stepped(first, last, step)
    assert days[-1] == last
    assert days[0] >= first
    assert {(after - before).days for before, after in itertools.pairwise(days)} <= {step}
