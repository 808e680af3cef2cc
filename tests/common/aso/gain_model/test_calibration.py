"""The figures of the calibration: intervals that hold the share, errors that are zero when predictions are right."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.gain_model.calibration import BINS, calibration_error, chance_bins, wilson


@given(number=st.integers(1, 10_000), share=st.floats(0, 1))
def test_a_wilson_interval_holds_the_share_within_0_and_1_and_narrows(number: int, share: float) -> None:
    hits = math.floor(share * number)
    one, many = wilson(hits, number), wilson(hits * 100, number * 100)
    assert one is not None
    assert many is not None
    assert 0 <= one.low <= hits / number <= one.high <= 1
    assert many.high - many.low < one.high - one.low


def test_the_interval_of_five_in_ten_is_the_published_one() -> None:
    found = wilson(5, 10)
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (0.2366, 0.7634)
    assert wilson(0, 0) is None


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), max_size=BINS))
def test_predictions_that_come_true_have_no_error(bins: list[tuple[int, float]]) -> None:
    found = calibration_error((number, share, share) for number, share in bins)
    assert found == (0 if any(number for number, _ in bins) else None)


def test_the_error_is_the_mean_distance_weighted_by_counts() -> None:
    assert calibration_error([(30, 0.2, 0.4), (10, 0.9, 0.5), (0, None, None)]) == pytest.approx(0.25)


def test_empty_bins_are_shown_as_empty() -> None:
    row = {"chance_bin": 3, "number": 4, "reached": 1, "predicted_reach": 1.4}
    bins = chance_bins([row])
    assert len(bins) == BINS
    assert (bins[3].number, bins[3].realised) == (4, 0.25)
    assert bins[3].predicted == pytest.approx(0.35)
    assert bins[3].interval is not None
    assert all(each.number == 0 and each.realised is None and each.interval is None for each in bins[:3])
