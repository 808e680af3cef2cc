"""Measuring an outcome: what was observed on both sides, or a reason; never a zero for what nobody saw."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.aso.gain_model import horizons
from common.aso.gain_model.measure import Clicked, Observed, Ranked, measured
from common.aso.gain_model.model import PRIOR_MODEL, GainModel
from common.aso.gain_model.models import OpportunityOutcome
from common.aso.models import Opportunity

ACTED = datetime(2026, 3, 10, 15, tzinfo=UTC)
DAY = ACTED.date()
LATER = ACTED + timedelta(days=60)


def opportunity(**fields: Any) -> Opportunity:
    values: dict[str, Any] = {
        "opportunity_id": "o",
        "tenant_id": "demo",
        "opportunity_type": "low_hanging_fruit",
        "keyword": "k",
        "keyword_id": "kid",
        "demand_basis": "search_volume",
        "monthly_demand": 1000.0,
        "expected_gain": 40.0,
        "gain_reach_probability": 0.5,
        "current_ranking": 12,
        "reachable_ranking": 3,
        "detected_at": ACTED,
        "created_at": ACTED,
        "acted_at": ACTED,
    }
    return Opportunity(**(values | fields))


def days(first: int, last: int) -> list[date]:
    return [DAY + timedelta(days=offset) for offset in range(first, last + 1)]


def daily(clicks: int, position: float, first: int, last: int) -> list[Clicked]:
    return [
        Clicked(first=day, last=day, clicks=clicks, impressions=100, position=position) for day in days(first, last)
    ]


def covered(first: int, last: int) -> list[tuple[date, date]]:
    return [(day, day) for day in days(first, last)]


def measure(observed: Observed, model: GainModel = PRIOR_MODEL, horizon: Any = 28, **fields: Any) -> OpportunityOutcome:
    return measured(opportunity(**fields), horizon, observed, model, LATER)


def test_visits_counted_before_and_after_are_compared_a_month() -> None:
    seen = Observed(periods=covered(-28, 28), clicked=[*daily(2, 12.0, -28, -1), *daily(5, 3.2, 1, 28)])
    model = GainModel(value_per_visit_minor=50, currency="EUR")
    found = measure(seen, model)
    assert (found.state, found.basis, found.reason) == ("measured", "clicks", None)
    assert (found.visits_before, found.visits_after, found.realised_gain) == (60, 150, 90)
    assert (found.rank_before, found.rank_after, found.reached) == (12, 3.2, True)
    assert (found.days_before, found.days_after) == (28, 28)
    assert (found.realised_value_minor, found.currency) == (4500, "EUR")
    assert (found.predicted_gain, found.predicted_reach) == (40, 0.5)


def test_the_day_of_the_action_is_on_neither_side_and_windows_are_28_days() -> None:
    before, first, second = horizons.before(ACTED), horizons.after(ACTED, 28), horizons.after(ACTED, 56)
    assert (before.first, before.last) == (DAY - timedelta(28), DAY - timedelta(1))
    assert (first.first, first.last) == (DAY + timedelta(1), DAY + timedelta(28))
    assert (second.first, second.last) == (DAY + timedelta(29), DAY + timedelta(56))
    seen = Observed(periods=covered(-40, 40), clicked=[*daily(1, 12.0, -28, -1), *daily(1, 12.0, 1, 28)])
    noise = [*daily(900, 1.0, -40, -29), *daily(900, 1.0, 0, 0), *daily(900, 1.0, 29, 40)]
    told = measure(Observed(periods=seen.periods, clicked=[*seen.clicked, *noise]))
    assert told.realised_gain == 0


def test_days_the_source_did_not_tell_of_do_not_count_as_days_without_visits() -> None:
    half = Observed(
        periods=[*covered(-28, -15), *covered(1, 28)], clicked=[*daily(2, 12.0, -28, -15), *daily(2, 12.0, 1, 28)]
    )
    found = measure(half)
    assert (found.visits_before, found.visits_after, found.realised_gain) == (60, 60, 0)
    assert (found.days_before, found.days_after) == (14, 28)


def test_a_period_counts_where_it_lies_within_and_nowhere_else() -> None:
    inside = [(DAY - timedelta(28), DAY - timedelta(1)), (DAY + timedelta(1), DAY + timedelta(28))]
    told = [
        Clicked(first=first, last=last, clicks=clicks, impressions=900, position=9.0)
        for (first, last), clicks in zip(inside, (28, 56), strict=True)
    ]
    assert measure(Observed(periods=inside, clicked=told)).realised_gain == 30
    across = [(DAY - timedelta(20), DAY + timedelta(20))]
    straddling = [Clicked(first=across[0][0], last=across[0][1], clicks=99, impressions=900, position=9.0)]
    assert measure(Observed(periods=across, clicked=straddling)).state == "not_measurable"


@pytest.mark.parametrize(
    ("observed", "fields", "reason"),
    [
        (Observed(), {}, "nothing_observed_before"),
        (Observed(periods=covered(-28, 28), clicked=daily(3, 9.0, 1, 28)), {}, "nothing_observed_before"),
        (Observed(periods=covered(-28, 28), clicked=daily(3, 9.0, -28, -1)), {}, "nothing_observed_after"),
        (
            Observed(periods=covered(-13, 28), clicked=[*daily(3, 9.0, -13, -1), *daily(3, 9.0, 1, 28)]),
            {},
            "nothing_observed_before",
        ),
        (Observed(ranked=[Ranked(day=DAY - timedelta(3), position=9)]), {}, "nothing_observed_after"),
        (
            Observed(ranked=[Ranked(day=DAY + timedelta(offset), position=9) for offset in (-3, 3)]),
            {"monthly_demand": None},
            "nothing_observed_before",
        ),
        (Observed(), {"acted_at": None}, "action_date_unknown"),
        (Observed(), {"keyword_id": None, "subject_id": "x"}, "nothing_to_observe"),
    ],
)
def test_what_is_missing_is_a_reason_and_no_zero(observed: Observed, fields: dict[str, Any], reason: str) -> None:
    found = measure(observed, **fields)
    assert (found.state, found.reason) == ("not_measurable", reason)
    assert (found.realised_gain, found.reached, found.basis, found.visits_after) == (None, None, None, None)
    assert found.predicted_gain == 40


def test_ranks_stand_in_where_clicks_are_not_known() -> None:
    looks = [Ranked(day=day, position=12) for day in days(-28, -1)] + [
        Ranked(day=day, position=3) for day in days(1, 28)
    ]
    found = measure(Observed(ranked=looks))
    expected = 1000 * (PRIOR_MODEL.click_through(3) - PRIOR_MODEL.click_through(12))
    assert found.basis == "rank"
    assert found.realised_gain == pytest.approx(expected, abs=0.01)
    assert (found.reached, found.days_after) == (True, 28)


def test_not_found_is_an_observation_of_no_visits() -> None:
    looks = [Ranked(day=days(-5, -5)[0], position=5), Ranked(day=days(9, 9)[0], position=None)]
    found = measure(Observed(ranked=looks))
    assert (found.visits_after, found.reached, found.rank_after) == (0, False, 31)
    assert found.realised_gain is not None
    assert found.realised_gain < 0


def test_only_a_gap_had_no_visits_before() -> None:
    seen = Observed(periods=covered(-28, 28), clicked=daily(3, 4.0, 1, 28))
    gap = measure(seen, opportunity_type="content_gap", current_ranking=None)
    assert (gap.state, gap.visits_before, gap.realised_gain) == ("measured", 0, 90)
    unseen = measure(Observed(), opportunity_type="content_gap", current_ranking=None)
    assert (unseen.state, unseen.reason) == ("not_measurable", "nothing_observed_after")


def test_ranks_observed_are_believed_rather_than_mean_positions() -> None:
    seen = Observed(
        periods=covered(-28, 28),
        clicked=[*daily(2, 12.0, -28, -1), *daily(5, 3.4, 1, 28)],
        ranked=[Ranked(day=day, position=5) for day in days(1, 28)],
    )
    found = measure(seen)
    assert (found.basis, found.rank_before, found.rank_after, found.reached) == ("clicks", 12, 5, False)


@given(seconds=st.integers(0, 10**8))
def test_outcomes_are_due_once_each_after_the_window_and_the_lag(seconds: int) -> None:
    moment = ACTED + timedelta(seconds=seconds)
    first, second = horizons.due_at(moment, 28), horizons.due_at(moment, 56)
    assert horizons.first_due(moment) == first
    assert horizons.next_due(moment, 28) == second
    assert horizons.next_due(moment, 56) is None
    assert (first - moment).days >= 28 + horizons.LAG_DAYS
    assert horizons.due_horizons(moment, first - timedelta(microseconds=1)) == []
    assert horizons.due_horizons(moment, first) == [28]
    assert horizons.due_horizons(moment, second) == [28, 56]
