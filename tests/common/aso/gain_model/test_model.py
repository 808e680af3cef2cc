"""The gain model: the prior unless something was fitted, intervals that hold the gain, and one scale for every type."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso import gain
from common.aso.gain_model import scale
from common.aso.gain_model.model import (
    EVERYTHING,
    PRIOR_MODEL,
    UNRANKED,
    Curve,
    Expected,
    GainModel,
    Segment,
    together,
)
from common.aso.gain_model.service import assembled
from common.aso.site.service import Site

RANKS = st.integers(1, gain.WORST_RANK)
DEMANDS = st.floats(1, 1e7)
DIFFICULTIES = st.one_of(st.none(), st.floats(0, 100))


def flat(level: float) -> Curve:
    return Curve(click_through=tuple(level / rank for rank in range(1, gain.WORST_RANK + 1)), strength=500.0)


@given(current=RANKS, demand=DEMANDS, difficulty=DIFFICULTIES)
def test_the_prior_model_is_the_prior(current: int, demand: float, difficulty: float | None) -> None:
    found = PRIOR_MODEL.expect(current=current, demand=demand, difficulty=difficulty)
    expected = gain.expect(current=current, demand=demand, difficulty=difficulty)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert (found.target, found.reach) == (expected.target, expected.reach)
    assert found.gain == pytest.approx(expected.gain)
    assert PRIOR_MODEL.version == "prior"


@given(current=st.one_of(st.none(), RANKS), demand=DEMANDS, difficulty=DIFFICULTIES, level=st.floats(0.01, 0.9))
def test_the_interval_holds_the_gain_and_more_evidence_narrows_it(
    current: int | None, demand: float, difficulty: float | None, level: float
) -> None:
    def at(impressions: float) -> Expected | None:
        base = flat(level)
        seen = Curve(click_through=base.click_through, impressions=(impressions,) * gain.WORST_RANK, strength=50.0)
        return GainModel(curves={EVERYTHING: seen}).expect(current=current, demand=demand, difficulty=difficulty)

    little, much = at(0.0), at(1e6)
    assert (little is None) == (much is None) == (current == 1)
    if little is not None and much is not None:
        for found in (little, much):
            assert 0 < found.low <= found.gain <= found.high
            assert math.isfinite(found.high)
        assert much.high / much.low <= little.high / little.low * (1 + 1e-9)
        assert much.gain == little.gain


def test_a_certain_model_has_a_narrow_interval() -> None:
    sure = GainModel(
        curves={EVERYTHING: Curve(impressions=(1e12,) * gain.WORST_RANK)},
        covariance=((1e-12, 0, 0), (0, 1e-12, 0), (0, 0, 1e-12)),
    )
    found = sure.expect(current=12, demand=1000, difficulty=30)
    assert found is not None
    assert found.high / found.low < 1.001


def test_the_narrowest_curve_there_is_answers() -> None:
    model = GainModel(curves={EVERYTHING: flat(0.1), "brand": flat(0.5), "brand/device:mobile": flat(0.7)})
    assert model.click_through(1, Segment(brand=True, device="mobile")) == 0.7
    assert model.click_through(1, Segment(brand=True, device="desktop")) == 0.5
    assert model.click_through(1, Segment(brand=True, device="all")) == 0.5
    assert model.click_through(1, Segment(brand=False, device="mobile")) == 0.1
    assert model.click_through(1) == 0.1
    assert GainModel().click_through(1, Segment(brand=True)) == gain.CLICK_THROUGH[0]


def test_a_brand_is_whole_words_and_unknown_without_terms() -> None:
    model = GainModel(brand_terms=("acme tools",))
    assert model.segment_of("ACME  Tools drill") == Segment(brand=True)
    assert model.segment_of("acme toolset") == Segment(brand=False)
    assert GainModel().segment_of("acme") == Segment()


def test_click_through_between_ranks_is_a_straight_line_and_ends_at_the_last() -> None:
    model = PRIOR_MODEL
    assert model.click_through(1.5) == pytest.approx((gain.CLICK_THROUGH[0] + gain.CLICK_THROUGH[1]) / 2)
    assert model.click_through(0.3) == gain.CLICK_THROUGH[0]
    assert model.click_through(30.5) == pytest.approx(gain.CLICK_THROUGH[29] / 2)
    assert model.click_through(UNRANKED) == model.click_through(500) == 0


@given(visits=st.floats(-1e6, 1e6), value=st.integers(0, 10_000))
def test_money_is_whole_minor_units_and_absent_where_nobody_said_what_a_visit_is_worth(
    visits: float, value: int
) -> None:
    assert GainModel().value_minor(visits) is None
    minor = GainModel(value_per_visit_minor=value, currency="EUR").value_minor(visits)
    assert isinstance(minor, int)
    assert abs(minor - visits * value) <= 0.5


@given(parts=st.lists(st.tuples(RANKS, DEMANDS, DIFFICULTIES), min_size=1, max_size=6))
def test_what_succeeds_together_adds_up(parts: list[tuple[int, float, float | None]]) -> None:
    searches = [scale.Search(rank=rank, demand=demand, difficulty=hard) for rank, demand, hard in parts]
    each = [scale.linking(PRIOR_MODEL, [search]) for search in searches]
    whole = scale.linking(PRIOR_MODEL, searches)
    assert whole is not None
    assert whole.gain == pytest.approx(sum(one.gain for one in each if one))
    assert whole.low <= whole.gain + 1e-9
    assert whole.gain <= whole.high + 1e-9
    assert 0 <= whole.reach <= 1
    assert together([]) is None


class TestScale:
    """Every type lands on the same scale: change in visits times the chance of it."""

    def test_a_gap_is_worth_what_the_first_page_brings_to_a_page_that_does_not_rank(self) -> None:
        gap = scale.content_gap(PRIOR_MODEL, demand=1000, difficulty=20)
        last = scale.improvement(PRIOR_MODEL, current=30, demand=1000, difficulty=20)
        assert gap is not None
        assert last is not None
        assert gap.target is not None
        assert gap.gain == pytest.approx(1000 * gain.click_through(gap.target) * gap.reach)
        assert gap.gain == pytest.approx(last.gain, rel=0.15), "just unranked is about as far as rank 30"

    @given(lost=st.floats(0, 1e6), now=RANKS, earlier=RANKS)
    def test_a_decayed_page_never_gets_back_more_than_it_lost(self, lost: float, now: int, earlier: int) -> None:
        found = scale.recovery(PRIOR_MODEL, lost=lost, current=now, earlier=earlier)
        assert 0 <= found.low <= found.gain <= lost
        assert found.gain <= found.high

    def test_next_to_nothing_lost_is_next_to_nothing_to_gain(self) -> None:
        found = scale.recovery(PRIOR_MODEL, lost=5e-324, current=8, earlier=3)
        assert found.low <= found.gain <= found.high < 1e-100

    def test_demand_that_went_away_expects_nothing(self) -> None:
        found = scale.recovery(PRIOR_MODEL, lost=-40.0, current=8, earlier=3)
        assert (found.gain, found.low, found.high) == (0, 0, 0)

    def test_merging_two_pages_at_one_rank_gains_nothing_and_better_ranks_gain_more(self) -> None:
        def merged(rank: float) -> Expected:
            pages = [(8.0, 0.6), (9.0, 0.4)]
            return scale.merging(PRIOR_MODEL, demand=5000, pages=pages, merged=rank, difficulty=30)

        same = scale.merging(PRIOR_MODEL, demand=5000, pages=[(8.0, 0.6), (8.0, 0.4)], merged=8.0)
        assert same.gain == pytest.approx(0, abs=1e-9)
        assert merged(7.0).gain > merged(8.0).gain > 0

    def test_a_link_is_worth_one_rank(self) -> None:
        one = scale.linking(PRIOR_MODEL, [scale.Search(rank=9, demand=1000, difficulty=20)])
        step = PRIOR_MODEL.moved(demand=1000, current=9, target=8, difficulty=20)
        assert one == step
        top = scale.linking(PRIOR_MODEL, [scale.Search(rank=1, demand=1000)])
        assert top is not None
        assert top.gain == 0

    def test_the_fields_name_the_model_and_the_money(self) -> None:
        model = assembled(Site(value_per_visit_minor=45, currency="EUR"), None, None)
        found = scale.content_gap(model, demand=1000, difficulty=20)
        assert found is not None
        fields: dict[str, Any] = scale.landed(model, found)
        assert fields["gain_model"] == "prior"
        assert fields["currency"] == "EUR"
        assert fields["expected_value_minor"] == round(found.gain * 45)
        assert fields["gain_low"] <= fields["expected_gain"] <= fields["gain_high"]
        assert scale.landed(PRIOR_MODEL, found)["currency"] is None
