"""Reconciling opportunities with what a scan found as a whole: idempotent, bounded, safe in twos."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from common.aso.entities import OPPORTUNITIES
from common.aso.models import Opportunity, OpportunityType
from common.aso.opportunities import Reconciled, opportunity_id_of, reconcile
from common.context import Context
from common.store import Repository, transact

NOW = datetime(2026, 5, 17, 12, tzinfo=UTC)
TYPES: tuple[OpportunityType, ...] = ("content_decay", "cannibalization")


def candidate(subject: str, kind: OpportunityType = "content_decay", **fields: Any) -> Opportunity:
    values: dict[str, Any] = {
        "opportunity_id": "",
        "tenant_id": "t",
        "opportunity_type": kind,
        "keyword": f"search of {subject}",
        "subject_id": subject,
        "url": f"https://example.com/{subject}",
        "demand_basis": "observed_impressions",
        "expected_gain": 10.0,
        "gain_model": "prior",
        "evidence": {"lost": 3, "parts": {"rank": -1.5}},
        "detected_at": NOW,
        "created_at": NOW,
    }
    return Opportunity(**(values | fields))


def run(context: Context, found: Sequence[Opportunity], limit: int = 100, **options: Any) -> Reconciled:
    own = [each.model_copy(update={"tenant_id": context.tenant_id}) for each in found]
    return reconcile(context, TYPES, own, NOW, limit=limit, **options)


def stored(context: Context) -> dict[tuple[str, int], Opportunity]:
    return {
        (each.value.subject_id, each.value.episode): each.value for each in Repository(OPPORTUNITIES, context).select()
    }


def set_fields(context: Context, **fields: Any) -> None:
    def work(work: Any) -> None:
        for record in work.select(OPPORTUNITIES):
            work.update(OPPORTUNITIES, record, record.value.model_copy(update=fields))

    transact(context, work)


def test_missing_ones_are_made_known_ones_kept_and_the_rest_closed_with_the_reason(context: Context) -> None:
    assert run(context, [candidate("a"), candidate("b")]) == Reconciled(created=2, kept=0)
    assert run(context, [candidate("a"), candidate("b")]) == Reconciled(created=0, kept=2), "twice changes nothing"
    assert run(context, [candidate("a")], reasons={"b": "recovered"}) == Reconciled(kept=1, closed=1)
    found = stored(context)
    assert (found["b", 1].status, found["b", 1].closed_reason, found["b", 1].closed_at) == ("closed", "recovered", NOW)
    assert found["a", 1].evidence == {"lost": 3, "parts": {"rank": -1.5}}
    assert found["a", 1].opportunity_id == opportunity_id_of(context.tenant_id, "content_decay", "a", 1)
    assert run(context, []) == Reconciled(closed=1)
    assert stored(context)["a", 1].closed_reason == "no_longer_found"
    assert run(context, [candidate("a")]) == Reconciled(created=1)
    assert stored(context)["a", 2].status == "new"


def test_a_subject_of_two_types_is_two_opportunities_and_other_types_are_left_alone(context: Context) -> None:
    run(context, [candidate("a"), candidate("a", "cannibalization")])
    assert len(Repository(OPPORTUNITIES, context).select()) == 2
    assert reconcile(context, ["link_gap"], [], NOW, limit=10) == Reconciled()
    assert all(each.value.holds for each in Repository(OPPORTUNITIES, context).select())


def test_only_what_was_looked_at_is_closed(context: Context) -> None:
    run(context, [candidate("a"), candidate("b"), candidate("c")])
    assert run(context, [candidate("a")], subjects={"a", "b"}) == Reconciled(kept=1, closed=1)
    assert {name for name, each in stored(context).items() if each.holds} == {("a", 1), ("c", 1)}


@pytest.mark.parametrize("status", ["dismissed", "completed"])
def test_what_people_ended_keeps_its_status_and_comes_back_only_after_it_was_gone(
    status: str, context: Context
) -> None:
    run(context, [candidate("a")])
    set_fields(context, status=status)
    assert run(context, [candidate("a", expected_gain=900.0)]) == Reconciled(kept=1), "not even its figures change"
    assert run(context, []) == Reconciled(released=1)
    assert run(context, [candidate("a")]) == Reconciled(created=1)
    assert {(each.episode, each.status) for each in stored(context).values()} == {(1, status), (2, "new")}


def test_figures_follow_only_far_moves_and_only_while_nobody_works_on_it(context: Context) -> None:
    run(context, [candidate("a")])
    for gain in (10.9, 12.5, 9.1):
        assert run(context, [candidate("a", expected_gain=gain)]).refreshed == 0, gain
    moved = candidate("a", expected_gain=12.6, gain_model="curve-2", evidence={"lost": 4})
    assert run(context, [moved]) == Reconciled(kept=1, refreshed=1)
    found = stored(context)["a", 1]
    assert (found.expected_gain, found.gain_model, found.evidence) == (12.6, "curve-2", {"lost": 4})
    assert run(context, [moved]).refreshed == 0
    assert run(context, [candidate("a", expected_gain=12.6, expected_value_minor=600, currency="EUR")]).refreshed == 1
    set_fields(context, status="in_progress")
    assert run(context, [candidate("a", expected_gain=500.0)]).refreshed == 0


def test_a_run_is_bounded_and_begins_with_the_greatest_gain(context: Context) -> None:
    found = [candidate(f"s{number}", expected_gain=float(number)) for number in range(7)]
    assert run(context, found, limit=3) == Reconciled(created=3, remaining=4)
    assert {name for name, _ in stored(context)} == {"s6", "s5", "s4"}
    assert run(context, found, limit=100) == Reconciled(created=4, kept=3)
    assert run(context, [], limit=5) == Reconciled(closed=5, remaining=2)


def test_two_at_once_do_not_double(context: Context) -> None:
    found = [candidate(f"s{number}") for number in range(20)]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: run(context, found), range(2)))
    assert sum(each.created for each in results) == 20
    assert len(stored(context)) == 20


@pytest.mark.parametrize(
    "found",
    [
        [candidate("a", "link_gap")],
        [candidate("")],
        [candidate("a"), candidate("a")],
    ],
    ids=["other type", "no subject", "twice"],
)
def test_candidates_that_cannot_be_told_apart_are_refused(found: list[Opportunity], context: Context) -> None:
    with pytest.raises(ValueError, match="candidate"):
        run(context, found)
    assert stored(context) == {}


def test_an_opportunity_stored_before_it_had_a_subject_is_about_its_keyword() -> None:
    known = candidate("x").model_dump(exclude={"subject_id"}) | {"keyword_id": "k-1"}
    assert Opportunity.model_validate(known).subject_id == "k-1"
