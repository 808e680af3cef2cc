"""The decomposition of a change of visits: it sums exactly, and says the same whichever way it is asked."""

from __future__ import annotations

import dataclasses
import math
import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.detectors.decomposition import (
    Cell,
    Parts,
    Side,
    Windows,
    cell_parts,
    decomposed,
    factors,
    log_parts,
    logarithmic_mean,
    pooled,
    rounded,
    summed,
)
from common.aso.detectors.site_shift import BANDS, Band, curves
from common.aso.gain_model.model import PRIOR_MODEL

SIDES = st.builds(
    Side,
    clicks=st.one_of(st.just(0), st.integers(0, 5000)),
    impressions=st.one_of(st.just(0), st.integers(1, 200_000)),
    position=st.floats(1, 60),
).map(lambda side: dataclasses.replace(side, clicks=min(side.clicks, side.impressions)))
CELLS = st.lists(st.builds(Cell, query=st.sampled_from([None, "a", "b", "c"]), before=SIDES, after=SIDES), max_size=12)


def model(_query: str | None, position: float) -> float:
    return PRIOR_MODEL.click_through(position)


@st.composite
def windows(draw: st.DrawFn) -> Windows:
    """Two windows with curves shifted by what a site might show."""
    amounts = st.floats(0, 10_000)
    bands = [
        Band(
            clicks_before=draw(amounts),
            expected_before=draw(amounts),
            clicks_after=draw(amounts),
            expected_after=draw(amounts),
        )
        for _ in range(BANDS)
    ]
    before, after = curves(model, bands, [Band()] * BANDS)
    days = st.integers(0, 60)
    return Windows(days_before=draw(days), days_after=draw(days), curve_before=before, curve_after=after)


def swapped(cells: list[Cell]) -> list[Cell]:
    return [Cell(query=cell.query, before=cell.after, after=cell.before) for cell in cells]


def turned(given_windows: Windows) -> Windows:
    return Windows(
        days_before=given_windows.days_after,
        days_after=given_windows.days_before,
        curve_before=given_windows.curve_after,
        curve_after=given_windows.curve_before,
    )


def visits(cells: list[Cell], side: str) -> float:
    return math.fsum(getattr(cell, side).clicks for cell in cells)


@given(cells=CELLS, of=windows())
def test_the_parts_sum_to_the_change(cells: list[Cell], of: Windows) -> None:
    change = visits(cells, "after") - visits(cells, "before")
    parts = decomposed(cells, of)
    scale = visits(cells, "after") + visits(cells, "before") + sum(abs(value) for value in dataclasses.astuple(parts))
    assert parts.total == pytest.approx(change, abs=1e-9 * max(1.0, scale))


@given(cells=CELLS, of=windows())
def test_exchanging_the_windows_turns_every_sign(cells: list[Cell], of: Windows) -> None:
    there, back = decomposed(cells, of), decomposed(swapped(cells), turned(of))
    for one, other in zip(dataclasses.astuple(there), dataclasses.astuple(back), strict=True):
        assert one == pytest.approx(-other, rel=1e-9, abs=1e-7)


@given(cells=CELLS, of=windows(), seed=st.integers())
def test_the_order_of_the_queries_changes_nothing_at_all(cells: list[Cell], of: Windows, seed: int) -> None:
    mixed = list(cells)
    random.Random(seed).shuffle(mixed)
    assert decomposed(mixed, of) == decomposed(cells, of)


def test_sums_round_once() -> None:
    assert summed(Parts(demand=value) for value in (1e16, 1.0, -1e16)) == Parts(demand=1.0)


@given(cell=st.builds(Cell, query=st.none(), before=SIDES, after=SIDES), of=windows())
def test_logarithms_sum_to_the_logarithm_of_the_change(cell: Cell, of: Windows) -> None:
    if min(cell.before.clicks, cell.after.clicks, of.days_before, of.days_after) <= 0:
        return
    assert log_parts(cell, of).total == pytest.approx(math.log(cell.after.clicks / cell.before.clicks), abs=1e-9)


@given(cells=CELLS, of=windows())
def test_the_factors_multiply_to_the_ratio_of_the_visits(cells: list[Cell], of: Windows) -> None:
    before, after = visits(cells, "before"), visits(cells, "after")
    found = factors(decomposed(cells, of), before, after)
    if before <= 0 or after <= 0:
        assert found is None
        return
    assert found is not None
    total = math.fsum(map(abs, dataclasses.astuple(decomposed(cells, of)))) / logarithmic_mean(after, before)
    if total < 300:  # beyond that a factor is out of the range of floats
        assert math.prod(dataclasses.astuple(found)) == pytest.approx(after / before, rel=1e-6)


@given(cells=CELLS, of=windows())
def test_what_is_shown_sums_to_the_hundredth(cells: list[Cell], of: Windows) -> None:
    change = round(visits(cells, "after") - visits(cells, "before"))
    shown = rounded(decomposed(cells, of), change)
    assert sum(shown.values()) == Decimal(change)
    assert all(value == value.quantize(Decimal("0.01")) for value in shown.values())


@given(cells=CELLS)
def test_pooling_keeps_visits_and_impressions(cells: list[Cell]) -> None:
    found = pooled(cells)
    for side in ("before", "after"):
        assert visits(found, side) == pytest.approx(visits(cells, side))
        assert math.fsum(getattr(cell, side).impressions for cell in found) == pytest.approx(
            math.fsum(getattr(cell, side).impressions for cell in cells)
        )
    assert sum(cell.query is None for cell in found) <= 1


@given(one=st.floats(1e-6, 1e9), other=st.floats(1e-6, 1e9))
def test_the_logarithmic_mean_lies_between_the_geometric_and_the_arithmetic(one: float, other: float) -> None:
    mean = logarithmic_mean(one, other)
    assert math.sqrt(one * other) * (1 - 1e-12) <= mean <= (one + other) / 2 * (1 + 1e-12)
    assert mean == pytest.approx(logarithmic_mean(other, one), rel=1e-12)


SAME = Windows(days_before=28, days_after=28, curve_before=model, curve_after=model)


def cell(before: tuple[float, float, float], after: tuple[float, float, float]) -> Cell:
    return Cell(
        query="a",
        before=Side(clicks=before[0], impressions=before[1], position=before[2]),
        after=Side(clicks=after[0], impressions=after[1], position=after[2]),
    )


def causes(of: Cell, windows: Windows) -> dict[str, float]:
    """Return the parts that are not nothing, rounded."""
    found = dataclasses.asdict(decomposed([of], windows))
    return {name: round(value, 6) for name, value in found.items() if round(value, 6)}


def test_each_cause_alone_is_told_as_that_cause() -> None:
    assert causes(cell((100, 1000, 5), (50, 500, 5)), SAME) == {"demand": -50}
    share = model(None, 8) / model(None, 4)
    assert causes(cell((100, 1000, 4), (100 * share, 1000, 8)), SAME) == {"rank": round(100 * share - 100, 6)}
    assert causes(cell((100, 1000, 5), (60, 1000, 5)), SAME) == {"residual": -40}
    half = dataclasses.replace(SAME, days_after=14)
    assert causes(cell((100, 1000, 5), (50, 500, 5)), half) == {"missing_data": -50}
    lower = dataclasses.replace(SAME, curve_after=lambda query, rank: model(query, rank) * 0.7)
    assert causes(cell((100, 1000, 5), (70, 1000, 5)), lower) == {"curve": -30}


def test_a_page_below_its_curve_does_not_lose_more_by_demand_than_it_had() -> None:
    """The share of a page is part of the product: half the impressions are half its visits, whatever the curve says."""
    assert causes(cell((10, 1000, 1), (5, 500, 1)), SAME) == {"demand": -5}


@pytest.mark.parametrize(
    ("of", "name"),
    [
        (cell((0, 0, 0), (30, 900, 4)), "demand"),
        (cell((30, 900, 4), (0, 0, 0)), "demand"),
        (cell((30, 900, 4), (0, 400, 9)), "residual"),
        (cell((0, 900, 4), (12, 400, 9)), "residual"),
    ],
)
def test_zeros_go_to_where_the_limit_sends_them(of: Cell, name: str) -> None:
    assert cell_parts(of, SAME) == Parts(**{name: of.after.clicks - of.before.clicks})


def test_a_window_without_data_is_missing_data() -> None:
    assert cell_parts(cell((30, 900, 4), (0, 0, 0)), dataclasses.replace(SAME, days_after=0)) == Parts(missing_data=-30)
