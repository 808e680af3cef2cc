"""Whether the whole site is clicked more or less: bands, shrinkage, and the page in question left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.detectors.change_query import bands
from common.aso.detectors.decomposition import Cell, Side, Windows, decomposed
from common.aso.detectors.site_shift import BANDS, PRIOR_CLICKS, Band, band_of, curves
from common.aso.gain_model.model import PRIOR_MODEL

AMOUNT = st.floats(0, 1e6)


def model(_query: str | None, position: float) -> float:
    return PRIOR_MODEL.click_through(position)


def test_every_rank_has_its_band() -> None:
    assert [band_of(rank) for rank in (1, 1.4, 1.5, 2, 3, 4, 5, 6, 10, 11, 20, 21, 90)] == [
        0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 5, 6, 6,
    ]  # fmt: skip
    assert band_of(1000) == BANDS - 1


@given(before=AMOUNT, expected_before=AMOUNT, after=AMOUNT, expected_after=AMOUNT)
def test_the_shift_lies_between_none_and_what_the_data_says(
    before: float, expected_before: float, after: float, expected_after: float
) -> None:
    band = Band(
        clicks_before=before, expected_before=expected_before, clicks_after=after, expected_after=expected_after
    )
    turned = Band(
        clicks_before=after, expected_before=expected_after, clicks_after=before, expected_after=expected_before
    )
    assert band.shift > 0
    assert band.shift == pytest.approx(1 / turned.shift)
    for clicks, expected in ((before, expected_before), (after, expected_after)):
        factor = (clicks + PRIOR_CLICKS) / (expected + PRIOR_CLICKS)
        assert min(1.0, clicks / expected if expected else factor) <= factor * (1 + 1e-12)


def test_without_data_nothing_shifts() -> None:
    before, after = curves(model, [Band()] * BANDS, [Band()] * BANDS)
    assert [before(None, rank) for rank in range(1, 31)] == [model(None, rank) for rank in range(1, 31)]
    assert after(None, 7.5) == model(None, 7.5)


def ranks(position: int, before: tuple[float, float], after: tuple[float, float]) -> list[dict[str, object]]:
    return [
        {"is_after": False, "place": position, "clicks": before[0], "impressions": before[1]},
        {"is_after": True, "place": position, "clicks": after[0], "impressions": after[1]},
    ]


def test_the_whole_sites_loss_is_the_curve_and_a_pages_own_is_not() -> None:
    """A page that lost as the whole site did lost by the curve; one that lost alone lost by its own share."""
    expected = 1_000_000 * model(None, 3)
    site = bands(ranks(3, (expected, 1_000_000), (expected / 2, 1_000_000)), model)
    mine = bands(ranks(3, (100, 1000), (50, 1000)), model)
    quiet = bands(ranks(3, (expected, 1_000_000), (expected - 50, 1_000_000)), model)
    cell = Cell(
        query=None,
        before=Side(clicks=100, impressions=1000, position=3),
        after=Side(clicks=50, impressions=1000, position=3),
    )

    def parts(whole: list[Band]) -> tuple[float, float]:
        before, after = curves(model, whole, mine)
        found = decomposed([cell], Windows(days_before=28, days_after=28, curve_before=before, curve_after=after))
        return round(found.curve), round(found.residual)

    assert parts(site) == (-50, 0)
    assert parts(quiet) == (0, -50)
    assert parts(mine) == (0, -50), "a site of one page tells nothing about other pages"
