"""The query of the scan against the rules in Python and against the query of document 000."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from common.aso import gain, opportunity_rules
from common.aso.gain_model.model import EVERYTHING, PRIOR_MODEL, Curve, GainModel
from common.aso.models import Keyword
from common.aso.opportunities import is_moved, opportunity_id_of
from common.aso.scan import opportunity_of
from common.aso.scan_query import Difference, differences
from common.context import Context
from common.warehouse.query import rows
from tests.common.aso.scan.conftest import KeywordMaker, Warehouse, keyword
from tests.common.aso.scan.test_rules import opportunity

NOW = datetime.now(UTC)
TODAY = NOW.date()

DOCUMENT_000 = """\
SELECT k.keyword_id
FROM {keywords_latest} k
WHERE DATE(k.last_checked) >= DATE_SUB(@today, INTERVAL 30 DAY)
  AND k.current_ranking > 10
  AND k.current_ranking <= 30
  AND k.difficulty_score < 50
  AND k.search_volume > 100
"""
"""The detection query as written there, without the page size, and with the day of the scan for today."""

FIELDS = st.fixed_dictionaries(
    {
        "search_volume": st.one_of(st.none(), st.sampled_from([0, 99, 100, 101]), st.integers(0, 100_000)),
        "difficulty_score": st.one_of(
            st.none(), st.sampled_from([0.0, 49.5, 49.999, 50.0, 100.0]), st.floats(0, 100, allow_nan=False)
        ),
        "current_ranking": st.one_of(st.none(), st.integers(1, 40), st.sampled_from([3, 4, 10, 11, 30, 31])),
        "observed_impressions": st.one_of(st.none(), st.sampled_from([100, 101]), st.integers(0, 100_000)),
        "observed_days": st.one_of(st.none(), st.integers(1, 500)),
        "last_checked": st.one_of(
            st.none(),
            st.integers(0, 32).map(lambda days: NOW - timedelta(days=days)),
            st.integers(29, 31).map(
                lambda days: datetime.combine(TODAY - timedelta(days=days), datetime.min.time(), UTC)
            ),
        ),
    }
)


def falling_curve(values: list[float]) -> Curve:
    """Return a curve of shares that never rises."""
    return Curve(click_through=tuple(sorted(values, reverse=True)))


CURVES = st.lists(
    st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.02, 0.3])), min_size=gain.WORST_RANK, max_size=gain.WORST_RANK
).map(falling_curve)
MODELS = st.builds(
    GainModel,
    version=st.just("curve-1.reach-1"),
    curves=st.fixed_dictionaries({EVERYTHING: CURVES}, optional={"brand": CURVES, "nonbrand": CURVES}),
    coefficients=st.builds(gain.ReachCoefficients, st.floats(-3, 4), st.floats(0, 0.1), st.floats(0, 3)),
    brand_terms=st.sampled_from([(), ("acme",), ("acme tools", "strasse", "c++", "a.b|c(d [x]", "o'n-e #1 & \\w")]),
)


def found(context: Context, model: GainModel = PRIOR_MODEL) -> dict[str, Difference]:
    return {each.keyword_id: each for each in differences(context, TODAY, 10_000, model).create}


def check(values: list[Keyword], context: Context) -> None:
    """Hold the query's answer against the rules and the gain in Python."""
    answered = found(context)
    expected = {value.keyword_id: opportunity_rules.classify(value, TODAY) for value in values}
    assert {name: each.opportunity_type for name, each in answered.items()} == {
        name: kind for name, kind in expected.items() if kind is not None
    }
    for value in values:
        if value.keyword_id in answered:
            check_gain(value, answered[value.keyword_id])
    document = {row["keyword_id"] for row in rows(context, DOCUMENT_000, {"today": TODAY})}
    assert document == {name for name, each in answered.items() if each.opportunity_type == "low_hanging_fruit"}


def check_gain(value: Keyword, difference: Difference, model: GainModel = PRIOR_MODEL) -> None:
    demand = opportunity_rules.demand_of(value)
    assert demand is not None
    assert value.current_ranking is not None
    expectation = model.expect(
        current=value.current_ranking,
        demand=demand.monthly,
        difficulty=value.difficulty_score,
        segment=model.segment_of(value.keyword),
    )
    assert expectation is not None
    assert difference.expected_gain == pytest.approx(expectation.gain, rel=1e-9)
    chosen = model.moved(
        demand=demand.monthly,
        current=value.current_ranking,
        target=difference.reachable_ranking or 0,
        difficulty=value.difficulty_score,
        segment=model.segment_of(value.keyword),
    )
    assert chosen.gain == pytest.approx(expectation.gain, rel=1e-9), "of targets that are worth the same, either"


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=st.lists(FIELDS, min_size=150, max_size=150))
def test_members_and_gains_are_those_of_the_rules(
    fields: list[dict[str, Any]], tenant: Context, warehouse: Warehouse
) -> None:
    values = [keyword(tenant, f"keyword {number}", **each) for number, each in enumerate(fields)]
    warehouse.keywords(*values)
    check(values, tenant)


TEXTS = (
    "acme {0}",
    "ACME  tools {0}",
    "acmetools {0}",
    "in der STRASSE {0}",
    "drill {0}",
    "{0} acme",
    "C++ {0}",
    "{0} c+",
    "{0} A.B|C(D [X] y",
    "axb|c {0}",
    "{0} o'n-e #1 & \\w",
)


# Shrinking would ask the warehouse hundreds of times.
@settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(fields=st.lists(FIELDS, min_size=60, max_size=60), model=MODELS)
def test_a_fitted_model_gives_the_same_in_the_warehouse_as_in_python(
    fields: list[dict[str, Any]], model: GainModel, tenant: Context, warehouse: Warehouse
) -> None:
    values = [keyword(tenant, TEXTS[number % len(TEXTS)].format(number), **each) for number, each in enumerate(fields)]
    warehouse.keywords(*values)
    answered = found(tenant, model)
    expected = {each.keyword_id: opportunity_of(each, NOW, model) for each in values}
    assert {name: each.opportunity_type for name, each in answered.items()} == {
        name: each.opportunity_type for name, each in expected.items() if each is not None
    }
    for value in values:
        if value.keyword_id in answered:
            check_gain(value, answered[value.keyword_id], model)


def test_what_moved_far_is_to_be_computed_afresh_and_nothing_else(
    tenant: Context, warehouse: Warehouse, fruit: KeywordMaker
) -> None:
    near, far, worked_on, priced = (fruit(name) for name in ("near", "far", "worked on", "priced"))
    now = opportunity_of(near, NOW, PRIOR_MODEL)
    assert now is not None
    assert now.expected_gain is not None
    warehouse.keywords(near, far, worked_on, priced)
    stored = [
        opportunity(near, expected_gain=now.expected_gain * 1.2),
        opportunity(far, expected_gain=now.expected_gain * 2),
        opportunity(worked_on, expected_gain=now.expected_gain * 2, status="in_progress"),
        opportunity(priced, expected_gain=now.expected_gain, expected_value_minor=9000, currency="EUR"),
    ]
    warehouse.opportunities(*stored)
    answer = differences(tenant, TODAY, 100)
    assert {each.keyword_id for each in answer.refresh} == {far.keyword_id, priced.keyword_id}
    assert (answer.kept, answer.refreshable, answer.creatable, answer.closable) == (4, 2, 0, 0)
    for each in stored:
        afresh = opportunity_of(near, NOW, PRIOR_MODEL)
        assert afresh is not None
        assert is_moved(each, afresh) == (each.opportunity_id in {found.opportunity_id for found in answer.refresh})


def test_what_a_visit_is_worth_reaches_what_is_stored(
    tenant: Context, warehouse: Warehouse, fruit: KeywordMaker
) -> None:
    model = GainModel(value_per_visit_minor=100, currency="EUR")
    value = fruit("priced")
    now = opportunity_of(value, NOW, model)
    assert now is not None
    assert now.expected_value_minor is not None
    warehouse.keywords(value)
    for stored_value, moved in ((now.expected_value_minor, False), (now.expected_value_minor // 3, True), (None, True)):
        stored = opportunity(value, expected_gain=now.expected_gain, expected_value_minor=stored_value, currency="EUR")
        warehouse.opportunities(stored)
        assert differences(tenant, TODAY, 10, model).refreshable == int(moved), stored_value
        assert is_moved(stored, now) == moved, stored_value


def test_a_curve_that_is_flat_expects_nothing_and_ends_what_there_was(
    tenant: Context, warehouse: Warehouse, fruit: KeywordMaker
) -> None:
    flat = GainModel(curves={EVERYTHING: falling_curve([0.01] * gain.WORST_RANK)})
    value = fruit("flat")
    warehouse.keywords(value)
    warehouse.opportunities(opportunity(value))
    assert opportunity_of(value, NOW, flat) is None
    answer = differences(tenant, TODAY, 10, flat)
    assert (answer.creatable, answer.closable) == (0, 1)


def test_every_rank_and_difficulty_has_the_gain_of_the_formula(tenant: Context, warehouse: Warehouse) -> None:
    values = [
        keyword(
            tenant,
            f"{rank} at {difficulty}",
            search_volume=1000,
            current_ranking=rank,
            difficulty_score=difficulty,
            last_checked=NOW,
        )
        for rank in range(4, 31)
        for difficulty in (None, *(float(point) for point in range(0, 101, 10)), 12.5, 49.49)
    ]
    warehouse.keywords(*values)
    check(values, tenant)


def test_nothing_limits_membership_and_the_greatest_gain_comes_first(
    tenant: Context, warehouse: Warehouse, fruit: KeywordMaker
) -> None:
    warehouse.keywords(*(fruit(f"keyword {number}", search_volume=101 + number) for number in range(120)))
    answer = differences(tenant, TODAY, 30)
    assert (answer.creatable, len(answer.create), answer.closable, answer.kept) == (120, 30, 0, 0)
    gains = [each.expected_gain for each in answer.create]
    assert gains == sorted(gains, reverse=True)
    assert math.isclose(gains[0], max(each.expected_gain for each in found(tenant).values()))


def test_only_the_difference_is_returned(tenant: Context, warehouse: Warehouse, fruit: KeywordMaker) -> None:
    holds, gone, fresh, again, over = (fruit(name) for name in ("holds", "gone", "fresh", "again", "over"))
    gone, over = (each.model_copy(update={"difficulty_score": 70.0}) for each in (gone, over))
    warehouse.keywords(holds, gone, fresh, again, over)
    warehouse.opportunities(
        opportunity(holds),
        opportunity(gone),
        opportunity(again, status="closed", holds=False),
        opportunity(again, status="dismissed", holds=False, episode=2),
        opportunity(over, status="completed", holds=False),
        opportunity(fresh, opportunity_type="content_gap"),
    )
    answer = differences(tenant, TODAY, 100)
    assert {(each.keyword_id, each.episode) for each in answer.create} == {(fresh.keyword_id, 0), (again.keyword_id, 2)}
    assert [(each.keyword_id, each.opportunity_id) for each in answer.close] == [
        (gone.keyword_id, opportunity_id_of(tenant.tenant_id, "low_hanging_fruit", gone.keyword_id, 1))
    ]
    assert (answer.creatable, answer.closable, answer.kept) == (2, 1, 1)


def test_the_earliest_check_is_that_of_what_holds_or_is_to_be_made(
    tenant: Context, warehouse: Warehouse, fruit: KeywordMaker
) -> None:
    def checked(text: str, days: int, **fields: Any) -> Keyword:
        return fruit(text, last_checked=NOW - timedelta(days=days), **fields)

    kept, fresh = checked("kept", 12), checked("fresh", 9)
    ended, never = checked("ended", 25, difficulty_score=70.0), checked("never", 27, difficulty_score=70.0)
    warehouse.keywords(kept, fresh, ended, never)
    warehouse.opportunities(opportunity(kept), opportunity(ended))
    assert differences(tenant, TODAY, 100).oldest_check == TODAY - timedelta(days=12)
    warehouse.keywords(ended, never, fresh)
    assert differences(tenant, TODAY, 100).oldest_check == TODAY - timedelta(days=9)
    warehouse.keywords(ended, never)
    assert differences(tenant, TODAY, 100).oldest_check is None


def test_an_opportunity_of_a_deleted_keyword_is_to_be_closed(
    tenant: Context, warehouse: Warehouse, fruit: KeywordMaker
) -> None:
    warehouse.opportunities(opportunity(fruit("deleted")))
    assert len(differences(tenant, TODAY, 100).close) == 1


def test_two_tenants_do_not_see_each_other(
    tenant: Context, warehouse: Warehouse, fruit: KeywordMaker, clients: Any
) -> None:
    from common.warehouse.provision import provision_tenant
    from tests.common.aso.scan.conftest import context_for

    warehouse.keywords(fruit("ours"))
    other = context_for(clients, f"{tenant.tenant_id}_other")
    provision_tenant(other, other.tenant_id)
    assert differences(other, TODAY, 100).creatable == 0
