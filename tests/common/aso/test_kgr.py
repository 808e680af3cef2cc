"""The Keyword Golden Ratio and its bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.kgr import VALID_VOLUME, kgr_class, kgr_score

COUNTS = st.one_of(st.none(), st.integers(min_value=0, max_value=10**9))


@given(COUNTS, COUNTS)
def test_the_score_is_the_ratio_or_nothing(titles: int | None, volume: int | None) -> None:
    score = kgr_score(titles, volume)
    if titles is None or volume is None or volume == 0:
        assert score is None
    else:
        assert score is not None
        assert math.isfinite(score)
        assert score >= 0
        assert score * volume == pytest.approx(titles)


@given(COUNTS, COUNTS)
def test_the_class_is_told_only_where_the_ratio_is_valid(titles: int | None, volume: int | None) -> None:
    score, found = kgr_score(titles, volume), kgr_class(titles, volume)
    if score is None or volume is None or volume > VALID_VOLUME:
        assert found is None
    else:
        assert found == ("excellent" if score < 0.25 else "good" if score < 1 else "competitive")


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**6))
def test_more_titles_never_make_a_better_ratio(fewer: int, more: int, volume: int) -> None:
    low, high = sorted([fewer, more])
    first, second = kgr_score(low, volume), kgr_score(high, volume)
    assert first is not None
    assert second is not None
    assert first <= second


@pytest.mark.parametrize(
    ("titles", "volume", "expected"),
    [
        (0, 100, "excellent"),
        (24, 100, "excellent"),
        (25, 100, "good"),
        (99, 100, "good"),
        (100, 100, "competitive"),
        (10, 250, "excellent"),
        (10, 251, None),
        (10, 0, None),
        (10, None, None),
        (None, 100, None),
    ],
)
def test_the_bounds_of_the_classes(titles: int | None, volume: int | None, expected: str | None) -> None:
    assert kgr_class(titles, volume) == expected
