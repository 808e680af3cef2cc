"""From what was clicked to what came of it: fit, scan with the curve, act, measure, fit again, calibrate."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest

from common.aso import opportunities, scan
from common.aso.entities import KEYWORDS, OPPORTUNITIES, OUTCOME
from common.aso.gain_model import calibration, fit, horizons, outcomes
from common.aso.gain_model.calibration import CalibrationQuery
from common.aso.gain_model.entities import OPPORTUNITY_OUTCOMES
from common.aso.gain_model.models import OutcomeQuery, OutcomeTask
from common.aso.gain_model.service import gain_model_of
from common.aso.models import Opportunity
from common.aso.opportunity_models import OpportunityUpdate
from common.aso.performance.models import PerformanceRow
from common.aso.performance.record import record
from common.aso.site.models import SettingsInput
from common.aso.site.service import put
from common.context import Context
from common.store import Repository
from common.warehouse import marks
from tests.common.aso.gain_model.conftest import (
    NOW,
    TODAY,
    MakeTenant,
    clicked,
    days_before,
    fruits,
    store,
    synchronise,
)

NUMBER = 24
STEEPNESS = 0.5
"""What a rank brings to this tenant, against the published curve."""


def stored(context: Context) -> dict[str, Opportunity]:
    return {each.value.opportunity_id: each.value for each in Repository(OPPORTUNITIES, context).select()}


def seen_before(context: Context) -> list[PerformanceRow]:
    """Return four weeks of searches: general ones at every rank, and each keyword's own."""
    from common.aso import gain

    rows = []
    for day in days_before(TODAY, 28):
        for rank in range(1, 21):
            expected = round(3000 * STEEPNESS * gain.click_through(rank))
            rows.append(clicked(f"general {rank}", float(rank), 3000, expected, day))
        rows += [clicked(each.keyword, each.average_position or 12.0, 100, 1, day) for each in fruits(context, NUMBER)]
    return rows


def seen_after(acted_on: list[Opportunity]) -> list[PerformanceRow]:
    """Return four weeks in which every second page rose to the first rank and the others stayed."""
    rows = []
    for offset in range(1, 29):
        day = TODAY + timedelta(days=offset)
        for number, each in enumerate(acted_on):
            position, clicks = (1.0, 20) if number % 2 else (float(each.current_ranking or 12), 1)
            rows.append(clicked(each.keyword, position, 100, clicks, day))
    return rows


@pytest.fixture(scope="module")
def tenant(make_tenant: MakeTenant) -> Context:
    """A tenant that says what a visit is worth, with keywords but no clicks yet."""
    context = make_tenant()
    put(context, SettingsInput(value_per_visit_minor=50, currency="EUR"))
    store(context, KEYWORDS, fruits(context, NUMBER))
    synchronise(context)
    return context


def test_the_whole_loop(tenant: Context) -> None:
    # The scan before anything was fitted.
    first = scan.scan(tenant, 100)
    assert first.created == NUMBER
    prior = stored(tenant)
    assert {each.gain_model for each in prior.values()} == {"prior"}
    for each in prior.values():
        assert each.expected_gain is not None
        assert each.gain_low is not None
        assert each.gain_high is not None
        assert each.gain_low < each.expected_gain < each.gain_high
        assert each.expected_value_minor == pytest.approx(each.expected_gain * 50, abs=1)
        assert each.currency == "EUR"
    synchronise(tenant)

    # A curve half as high: what is stored follows, once, and a second scan writes nothing.
    record(tenant, seen_before(tenant), "import-before")
    fitted = fit.fit(tenant, NOW)
    assert fitted.changed
    assert gain_model_of(tenant).version == "curve-1"
    second = scan.scan(tenant, 100)
    assert (second.created, second.closed, second.refreshed, second.remaining) == (0, 0, NUMBER, 0)
    refreshed = stored(tenant)
    for name, each in refreshed.items():
        assert each.gain_model == "curve-1"
        assert each.expected_gain == pytest.approx((prior[name].expected_gain or 0) * STEEPNESS, rel=0.15)
        assert "this site's" in " ".join(each.reasons)
    synchronise(tenant)
    third = scan.scan(tenant, 100)
    assert (third.refreshed, third.unchanged) == (0, NUMBER)

    # People act on them.
    for name in refreshed:
        opportunities.update(tenant, name, OpportunityUpdate(status="in_progress"))
        opportunities.update(tenant, name, OpportunityUpdate(status="completed"))
    acted_on = sorted(stored(tenant).values(), key=lambda each: each.keyword)
    assert all(each.acted_at is not None and each.started_at is not None for each in acted_on)
    acted_at = acted_on[0].acted_at
    assert acted_at is not None
    due = horizons.first_due(acted_at)
    assert {each.outcome_due_at for each in acted_on} == {due}
    record(tenant, seen_after(acted_on), "import-after")

    # Too early there is nothing to measure, and the tenant knows when there will be.
    marks.set_marks(tenant, tenant.tenant_id, [(OUTCOME, marks.EVERYTHING)])
    claim = marks.claim(tenant, OUTCOME, tenant.tenant_id)
    assert claim is not None
    early = outcomes.measure_claimed(tenant, OutcomeTask(working_since=claim.working_since), due - timedelta(seconds=1))
    assert (early.written, early.left, early.wake_at) == (0, False, due)
    assert marks.due(tenant, OUTCOME, now=due - timedelta(seconds=1)) == []
    assert [mark.tenant_id for mark in marks.due(tenant, OUTCOME, now=due)] == [tenant.tenant_id]

    # In time: realised against predicted, once.
    claim = marks.claim(tenant, OUTCOME, tenant.tenant_id, now=due)
    assert claim is not None
    task = OutcomeTask(working_since=claim.working_since)
    done = outcomes.measure_claimed(tenant, task, due)
    assert (done.written, done.wake_at) == (NUMBER, horizons.due_at(acted_at, 56))
    assert outcomes.measure_claimed(tenant, task, due).written == 0
    measured = {each.value.keyword: each.value for each in Repository(OPPORTUNITY_OUTCOMES, tenant).select()}
    for number, each in enumerate(acted_on):
        outcome = measured[each.keyword]
        assert (outcome.state, outcome.basis, outcome.horizon_days) == ("measured", "clicks", 28)
        assert outcome.predicted_gain == refreshed[each.opportunity_id].expected_gain
        assert outcome.reached == bool(number % 2)
        assert outcome.realised_gain == pytest.approx(19 * 30 if number % 2 else 0, abs=0.01)
        assert outcome.realised_value_minor == round((outcome.realised_gain or 0) * 50)
    assert {each.outcome_state for each in stored(tenant).values()} == {"measured"}

    # Half reached where less was expected: the chance moves, the version says so.
    synchronise(tenant)
    again = fit.fit(tenant, due)
    assert (again.reach.attempts, again.reach.reached, again.reach.reason) == (NUMBER, NUMBER // 2, None)
    assert gain_model_of(tenant).version.endswith("reach-1")
    easiest = acted_on[0]
    before = easiest.gain_reach_probability or 0
    after = gain_model_of(tenant).reach(easiest.current_ranking, easiest.reachable_ranking or 1, 10.0)
    assert abs(after - 0.5) < abs(before - 0.5)

    # And the calibration shows it.
    shown = calibration.compute(tenant, CalibrationQuery(horizon_days=28), due + timedelta(days=1))
    assert (shown.measured, shown.not_measurable, shown.reasons) == (NUMBER, 0, {})
    assert sum(each.number for each in shown.chance) == NUMBER
    assert sum(each.number for each in shown.gain) == NUMBER
    [kind] = shown.types
    assert (kind.opportunity_type, kind.rank_known, kind.reached, kind.hit_rate) == (
        "low_hanging_fruit",
        NUMBER,
        NUMBER // 2,
        0.5,
    )
    assert kind.realised_gain == pytest.approx(19 * 30 * NUMBER / 2)
    brier = sum(((each.gain_reach_probability or 0) - number % 2) ** 2 for number, each in enumerate(acted_on)) / NUMBER
    assert shown.brier_score == pytest.approx(brier)
    assert shown.calibration_error is not None
    assert shown.reach_model is not None
    assert shown.reach_model.version == 1

    # The second horizon finds nothing observed and says so instead of zero.
    last = outcomes.measure(tenant, horizons.due_at(acted_at, 56))
    assert (last.written, last.left, last.wake_at) == (NUMBER, False, None)
    found = json.loads(outcomes.listed(tenant, OutcomeQuery(horizon_days=56)).body)["items"]
    assert {(each["state"], each["reason"]) for each in found} == {("not_measurable", "nothing_observed_after")}
    assert all(each.realised_gain is not None for each in stored(tenant).values()), "what was measured stays"


def test_two_measuring_at_once_write_every_outcome_once(make_tenant: MakeTenant) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from tests.common.aso.scan.test_rules import opportunity

    context = make_tenant()
    acted = NOW - timedelta(days=40)
    found = [
        opportunity(
            each,
            status="completed",
            acted_at=acted,
            detected_at=acted,
            outcome_due_at=horizons.first_due(acted),
        )
        for each in fruits(context, 6)
    ]
    undated = opportunity(fruits(context, 7)[6], status="completed", outcome_due_at=NOW)
    store(context, OPPORTUNITIES, [*found, undated])
    with ThreadPoolExecutor(2) as pool:
        written = [each.written for each in pool.map(lambda _: outcomes.measure(context, NOW), range(2))]
    assert sum(written) == 7
    reasons = {each.value.keyword: each.value.reason for each in Repository(OPPORTUNITY_OUTCOMES, context).select()}
    assert reasons.pop(undated.keyword) == "action_date_unknown"
    assert set(reasons.values()) == {"nothing_observed_before"}
    assert stored(context)[undated.opportunity_id].outcome_due_at is None
    assert str(uuid.UUID(found[0].opportunity_id)) == found[0].opportunity_id
