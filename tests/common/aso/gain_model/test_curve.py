"""The fit of click-through by rank: between prior and data, never rising, and the same however the rows lie."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.aso import gain
from common.aso.gain import WORST_RANK
from common.aso.gain_model import curve
from common.aso.gain_model.curve import Counts, Sighting
from common.aso.gain_model.model import EVERYTHING, Curve

PRIOR = gain.CLICK_THROUGH
ROUNDING = 1e-12


@st.composite
def counts(draw: st.DrawFn, most: int = 100_000) -> Counts:
    impressions = draw(st.lists(st.integers(0, most), min_size=WORST_RANK, max_size=WORST_RANK))
    shares = draw(st.lists(st.floats(0, 1), min_size=WORST_RANK, max_size=WORST_RANK))
    clicks = [math.floor(share * number) for share, number in zip(shares, impressions, strict=True)]
    return Counts(impressions=impressions, clicks=clicks)


SIGHTINGS = st.lists(
    st.integers(0, 10_000).flatmap(
        lambda impressions: st.builds(
            Sighting,
            position=st.floats(0.5, 40, allow_nan=False),
            impressions=st.just(impressions),
            clicks=st.integers(0, impressions + 3),
        )
    ),
    max_size=40,
)


def never_rises(values: Sequence[float]) -> bool:
    return all(better >= worse for better, worse in itertools.pairwise(values))


def ample(share: float = 0.1) -> Counts:
    """Return counts that are enough for a fit at every rank."""
    return Counts(impressions=[1000.0] * WORST_RANK, clicks=[1000.0 * share] * WORST_RANK)


@given(seen=counts())
@settings(max_examples=60)
def test_a_fitted_curve_never_rises_and_is_made_of_shares(seen: Counts) -> None:
    fitted = curve.fit(seen, Curve(), "prior").curve.click_through
    assert len(fitted) == WORST_RANK
    assert never_rises(fitted)
    assert all(0 <= each <= 1 for each in fitted)


@given(seen=counts(), strength=st.sampled_from(curve.STRENGTHS))
def test_before_pooling_each_rank_lies_between_the_prior_and_what_was_seen(seen: Counts, strength: float) -> None:
    values = curve.smoothed(seen, PRIOR, strength)
    for value, mean, clicks, impressions in zip(values, PRIOR, seen.clicks, seen.impressions, strict=True):
        low, high = sorted((mean, clicks / impressions if impressions else mean))
        assert low - ROUNDING <= value <= high + ROUNDING


@given(
    values=st.lists(st.floats(0, 1), min_size=1, max_size=40),
    data=st.data(),
)
def test_pooling_stays_in_range_keeps_the_weighted_sum_and_leaves_alone_what_falls(
    values: list[float], data: st.DataObject
) -> None:
    weights = data.draw(st.lists(st.floats(0.1, 1e6), min_size=len(values), max_size=len(values)))
    pooled = curve.falling(values, weights)
    assert never_rises(pooled)
    assert min(values) <= min(pooled)
    assert max(pooled) <= max(values)
    total = math.fsum(value * weight for value, weight in zip(values, weights, strict=True))
    assert math.fsum(value * weight for value, weight in zip(pooled, weights, strict=True)) == pytest.approx(total)
    assert curve.falling(pooled, weights) == pytest.approx(pooled), "pooling twice is pooling once"
    fallen = sorted(values, reverse=True)
    assert curve.falling(fallen, weights) == fallen


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=20), scale=st.floats(0.01, 100), shift=st.floats(-5, 5))
def test_pooling_follows_scale_and_shift(values: list[float], scale: float, shift: float) -> None:
    weights = [1.0 + index % 3 for index in range(len(values))]
    pooled = curve.falling(values, weights)
    moved = curve.falling([value * scale + shift for value in values], weights)
    assert moved == pytest.approx([value * scale + shift for value in pooled], abs=1e-9)
    assert curve.falling(values, [weight * scale for weight in weights]) == pytest.approx(pooled, abs=1e-9)


def test_pooling_is_the_least_squares_fit_found_by_brute_force() -> None:
    """The best non-increasing step function is the best over all ways to cut the ranks into runs of means."""
    rng = random.Random(5)
    for _ in range(40):
        size = rng.randint(1, 7)
        values = [rng.random() for _ in range(size)]
        weights = [rng.uniform(0.1, 5) for _ in range(size)]
        best = math.inf
        for cuts in itertools.product((False, True), repeat=size - 1):
            edges = [0, *(index + 1 for index, cut in enumerate(cuts) if cut), size]
            steps = [
                (math.fsum(values[i] * weights[i] for i in range(a, b)) / math.fsum(weights[a:b]), b - a)
                for a, b in itertools.pairwise(edges)
            ]
            flat = [mean for mean, length in steps for _ in range(length)]
            if never_rises(flat):
                best = min(best, _error(flat, values, weights))
        assert _error(curve.falling(values, weights), values, weights) == pytest.approx(best, abs=1e-12)


def _error(found: Sequence[float], values: Sequence[float], weights: Sequence[float]) -> float:
    return math.fsum(w * (f - v) ** 2 for f, v, w in zip(found, values, weights, strict=True))


@given(share=st.floats(0, 1), fewer=st.integers(0, 10**6), more=st.integers(0, 10**6))
def test_more_of_the_same_comes_closer_to_what_was_seen(share: float, fewer: int, more: int) -> None:
    def distance(number: int) -> float:
        seen = Counts(impressions=[number] * WORST_RANK, clicks=[number * share] * WORST_RANK)
        return max(abs(value - share) for value in curve.smoothed(seen, PRIOR, 100.0))

    low, high = sorted((fewer, more))
    assert distance(high) <= distance(low) + ROUNDING


def test_nothing_seen_is_the_prior_exactly() -> None:
    nothing = curve.added([])
    fitted = curve.fit(nothing, Curve(), "prior")
    assert fitted.curve.click_through == PRIOR
    assert fitted.reason == "too_few_impressions"
    assert tuple(curve.falling(curve.smoothed(nothing, PRIOR, 77.0), [77.0] * WORST_RANK)) == PRIOR


@given(seen=counts(most=3000), factor=st.sampled_from([0.5, 2.0, 8.0, 1024.0]))
def test_the_unit_of_counting_does_not_matter(seen: Counts, factor: float) -> None:
    larger = Counts(
        impressions=[each * factor for each in seen.impressions], clicks=[each * factor for each in seen.clicks]
    )
    assert curve.smoothed(larger, PRIOR, 64.0 * factor) == pytest.approx(curve.smoothed(seen, PRIOR, 64.0))


@given(rows=SIGHTINGS, seed=st.integers())
def test_the_order_of_rows_changes_nothing(rows: list[Sighting], seed: int) -> None:
    shuffled = random.Random(seed).sample(rows, len(rows))
    assert curve.counted(shuffled) == curve.counted(rows)


@given(rows=SIGHTINGS)
def test_impossible_rows_are_left_out_and_nothing_of_the_rest_is_lost(rows: list[Sighting]) -> None:
    found = curve.counted(rows)
    within = [row for row in rows if row.usable and row.position <= WORST_RANK]
    beyond = [row for row in rows if row.usable and WORST_RANK < row.position < WORST_RANK + 1]
    expected = math.fsum(row.impressions for row in within) + math.fsum(
        row.impressions * (WORST_RANK + 1 - row.position) for row in beyond
    )
    assert math.fsum(found.impressions) == pytest.approx(expected)
    assert all(0 <= clicks <= seen + 1e-6 for clicks, seen in zip(found.clicks, found.impressions, strict=True))


@pytest.mark.parametrize(
    "row",
    [
        Sighting(position=3, impressions=-5, clicks=0),
        Sighting(position=3, impressions=0, clicks=0),
        Sighting(position=3, impressions=10, clicks=11),
        Sighting(position=3, impressions=10, clicks=-1),
        Sighting(position=0.0, impressions=10, clicks=1),
        Sighting(position=math.nan, impressions=10, clicks=1),
        Sighting(position=3, impressions=math.inf, clicks=1),
    ],
)
def test_what_cannot_be_true_is_not_usable(row: Sighting) -> None:
    assert not row.usable
    assert curve.counted([row]) == curve.added([])


def test_a_position_between_two_ranks_counts_for_both() -> None:
    found = curve.counted([Sighting(position=12.25, impressions=400, clicks=8)])
    assert (found.impressions[11], found.impressions[12]) == (300, 100)
    assert (found.clicks[11], found.clicks[12]) == (6, 2)


@pytest.mark.parametrize(
    ("impressions", "clicks", "reason"),
    [
        ({1: 999}, {1: 100}, "too_few_impressions"),
        ({1: 600, 2: 600}, {}, "too_few_clicks"),
        ({1: 60_000, 2: 60_000}, {}, "too_few_clicks"),
        ({1: 60_000}, {1: 900}, "too_few_ranks"),
        ({1: 60_000, 2: 99}, {1: 900}, "too_few_ranks"),
        ({1: 900, 2: 100}, {1: 20}, None),
    ],
)
def test_too_little_keeps_the_prior_and_says_what_is_missing(
    impressions: dict[int, float], clicks: dict[int, float], reason: str | None
) -> None:
    ranks = range(1, WORST_RANK + 1)
    seen = Counts(
        impressions=[impressions.get(rank, 0.0) for rank in ranks], clicks=[clicks.get(rank, 0.0) for rank in ranks]
    )
    fitted = curve.fit(seen, Curve(), "prior")
    assert fitted.reason == reason
    assert (fitted.curve.click_through == PRIOR) == (reason is not None)


def test_a_segment_is_shrunk_towards_the_tenant_and_the_tenant_towards_the_prior() -> None:
    rng = random.Random(11)
    whole = Counts(impressions=[5000.0] * WORST_RANK, clicks=[5000.0 * 0.3 * value for value in PRIOR])
    few = Counts(
        impressions=[60.0] * WORST_RANK,
        clicks=[float(sum(rng.random() < value for _ in range(60))) for value in PRIOR],
    )
    found = curve.fit_all({EVERYTHING: whole, "nonbrand": few, "brand": curve.added([])})
    assert found["brand"].reason == "too_few_impressions"
    assert found["brand"].curve is found[EVERYTHING].curve
    assert found["nonbrand"].parent == EVERYTHING
    own, above = found["nonbrand"].curve.click_through[0], found[EVERYTHING].curve.click_through[0]
    raw = few.clicks[0] / few.impressions[0]
    assert above < PRIOR[0] / 2, "the tenant's own data rule its curve"
    assert min(raw, above) <= own <= max(raw, above), "a segment lies between its data and the tenant"


def test_ranks_that_scatter_are_believed_more_than_ranks_that_agree_with_the_prior() -> None:
    agreeing = Counts(impressions=[2000.0] * WORST_RANK, clicks=[round(2000 * value) for value in PRIOR])
    assert curve.best_strength(agreeing, PRIOR) > 20 * curve.best_strength(ample(0.5), PRIOR)


def test_the_strength_recovers_the_one_that_the_data_were_drawn_with() -> None:
    rng = random.Random(3)
    found = []
    for _ in range(12):
        rates = [rng.betavariate(200 * value, 200 * (1 - value)) for value in PRIOR]
        clicks = [float(sum(rng.random() < rate for _ in range(3000))) for rate in rates]
        found.append(curve.best_strength(Counts(impressions=[3000.0] * WORST_RANK, clicks=clicks), PRIOR))
    assert 100 < sorted(found)[len(found) // 2] < 400


def test_a_curve_that_would_rise_is_pooled_flat() -> None:
    clicks = [0.0] * WORST_RANK
    clicks[0], clicks[1], clicks[2] = 5000.0, 10.0, 3000.0
    fitted = curve.fit(Counts(impressions=[10_000.0] * WORST_RANK, clicks=clicks), Curve(), "prior").curve
    assert fitted.click_through[0] > fitted.click_through[1] == fitted.click_through[2] > fitted.click_through[3]
