"""The scan on documents: made once, closed with the reason, the same whoever runs it and however often."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from common.aso import scan
from common.aso.entities import KEYWORDS, OPPORTUNITIES, SCAN
from common.aso.models import Keyword, Opportunity
from common.aso.opportunity_models import ScanResult, ScanTask
from common.context import PLATFORM_TENANT, Context
from common.store import Repository, in_chunks, transact
from common.warehouse import marks
from tests.common.aso.scan.conftest import KeywordMaker, Warehouse, keyword
from tests.common.queues import make_queues, tasks_of

Synchronise = Callable[[], None]


def store(context: Context, *values: Keyword) -> None:
    """Write keywords as they are."""
    for chunk in in_chunks(values):

        def work(work: Any, chunk: Sequence[Keyword] = chunk) -> None:
            known = work.get_many(KEYWORDS, [each.keyword_id for each in chunk])
            for each in chunk:
                if each.keyword_id in known:
                    work.update(KEYWORDS, known[each.keyword_id], each)
                else:
                    work.create(KEYWORDS, each)

        transact(context, work)


def remove(context: Context, value: Keyword) -> None:
    transact(context, lambda work: work.delete(KEYWORDS, work.get(KEYWORDS, value.keyword_id)))


def stored(context: Context) -> list[Opportunity]:
    return [each.value for each in Repository(OPPORTUNITIES, context).select()]


def versions(context: Context) -> dict[str, datetime]:
    return {each.value.opportunity_id: each.update_time for each in Repository(OPPORTUNITIES, context).select()}


def counts(result: Any) -> dict[str, int]:
    names = ("created", "unchanged", "closed", "released", "outdated", "remaining")
    return {name: getattr(result, name) for name in names if getattr(result, name)}


def set_status(context: Context, status: str) -> None:
    """Set the status of every stored opportunity, whatever its states allow."""

    def work(work: Any) -> None:
        for record in work.select(OPPORTUNITIES):
            work.update(OPPORTUNITIES, record, record.value.model_copy(update={"status": status}))

    transact(context, work)


@pytest.fixture
def synchronise(tenant: Context, warehouse: Warehouse) -> Synchronise:
    """Makes the warehouse hold what the documents hold."""

    def run() -> None:
        warehouse.keywords(*(each.value for each in Repository(KEYWORDS, tenant).select()))
        warehouse.opportunities(*(each.value for each in Repository(OPPORTUNITIES, tenant).select()))

    return run


def test_an_opportunity_says_what_to_do_and_why(tenant: Context, fruit: KeywordMaker, synchronise: Synchronise) -> None:
    store(tenant, fruit("qr code scanner"))
    synchronise()
    result = scan.scan(tenant, 100)
    assert counts(result) == {"created": 1}
    [found] = result.items
    assert (found.opportunity_type, found.status, found.holds, found.episode) == ("low_hanging_fruit", "new", True, 1)
    assert (found.current_ranking, found.search_volume, found.estimated_difficulty) == (14, 2400, 20.0)
    assert found.opportunity_score == pytest.approx(120)
    assert found.expected_gain is not None
    assert found.expected_gain > 0
    assert 0 < (found.confidence_score or 0) < 1
    assert found.reachable_ranking is not None
    assert found.reachable_ranking <= 10
    assert found.recommendation is not None
    assert "qr code scanner" in found.recommendation
    assert f"rank 14 to {found.reachable_ranking}" in found.recommendation
    told = " ".join(found.reasons)
    assert all(part in told for part in ("Ranks 14", "2400 searches", "Difficulty 20", "SISTRIX", "prior"))
    assert stored(tenant) == [found]


def test_observed_demand_is_labelled_and_nothing_is_invented(
    tenant: Context, fruit: KeywordMaker, synchronise: Synchronise
) -> None:
    store(tenant, fruit("seen", search_volume=None, difficulty_score=None, observed_impressions=9000))
    synchronise()
    [found] = scan.scan(tenant, 100).items
    assert (found.opportunity_type, found.demand_basis) == ("rank_improvement", "observed_impressions")
    assert (found.search_volume, found.estimated_difficulty, found.opportunity_score) == (None, None, None)
    assert found.observed_impressions == 9000
    told = " ".join(found.reasons)
    assert all(part in told for part in ("9000 impressions observed", "unknown period", "Difficulty unknown"))


def test_scanning_twice_changes_nothing(tenant: Context, fruit: KeywordMaker, synchronise: Synchronise) -> None:
    store(tenant, *(fruit(f"keyword {number}") for number in range(5)))
    synchronise()
    assert counts(scan.scan(tenant, 100)) == {"created": 5}
    before = versions(tenant)
    assert counts(scan.scan(tenant, 100)) == {"unchanged": 5}, "the warehouse does not know them yet"
    synchronise()
    assert counts(scan.scan(tenant, 100)) == {"unchanged": 5}
    assert versions(tenant) == before


def test_two_scans_at_once_do_not_double(tenant: Context, fruit: KeywordMaker, synchronise: Synchronise) -> None:
    store(tenant, *(fruit(f"keyword {number}") for number in range(40)))
    synchronise()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: scan.scan(tenant, 100), range(4)))
    assert sum(result.created for result in results) == 40
    assert all(result.created + result.unchanged == 40 for result in results)
    assert len({(each.opportunity_type, each.keyword_id) for each in stored(tenant)}) == len(stored(tenant)) == 40


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"current_ranking": 8}, "rank_left_11_to_30"),
        ({"difficulty_score": 50.0}, "difficulty_not_below_50"),
        ({"search_volume": 100}, "volume_not_above_100"),
        ({"last_checked": datetime.now(UTC) - timedelta(days=31)}, "not_checked_in_30_days"),
        (None, "keyword_deleted"),
    ],
)
def test_what_no_longer_holds_is_closed_with_the_reason(
    change: dict[str, Any] | None, reason: str, tenant: Context, fruit: KeywordMaker, synchronise: Synchronise
) -> None:
    value = fruit("changing")
    store(tenant, value)
    synchronise()
    scan.scan(tenant, 100)
    if change is None:
        remove(tenant, value)
    else:
        store(tenant, value.model_copy(update=change))
    synchronise()
    assert scan.scan(tenant, 100).closed == 1
    closed = next(each for each in stored(tenant) if each.opportunity_type == "low_hanging_fruit")
    assert (closed.status, closed.holds, closed.closed_reason) == ("closed", False, reason)
    assert closed.closed_at is not None
    synchronise()
    before = versions(tenant)
    assert scan.scan(tenant, 100).closed == 0
    assert versions(tenant) == before


def test_it_is_replaced_when_the_keyword_becomes_another_type(
    tenant: Context, fruit: KeywordMaker, synchronise: Synchronise
) -> None:
    value = fruit("moving", current_ranking=9)
    store(tenant, value)
    synchronise()
    scan.scan(tenant, 100)
    store(tenant, value.model_copy(update={"current_ranking": 12}))
    synchronise()
    assert counts(scan.scan(tenant, 100)) == {"created": 1, "closed": 1}
    by_type = {each.opportunity_type: each for each in stored(tenant)}
    assert by_type["rank_improvement"].closed_reason == "replaced_by_low_hanging_fruit"
    assert by_type["low_hanging_fruit"].status == "new"


@pytest.mark.parametrize("status", ["dismissed", "completed"])
def test_what_people_ended_stays_as_they_ended_it_and_comes_back_only_as_a_new_episode(
    status: str, tenant: Context, fruit: KeywordMaker, synchronise: Synchronise
) -> None:
    value = fruit("ended")
    store(tenant, value)
    synchronise()
    scan.scan(tenant, 100)
    set_status(tenant, status)
    synchronise()
    assert counts(scan.scan(tenant, 100)) == {"unchanged": 1}, "while it holds nothing happens"
    store(tenant, value.model_copy(update={"difficulty_score": 80.0}))
    synchronise()
    assert counts(scan.scan(tenant, 100)) == {"released": 1}
    assert [(each.status, each.holds) for each in stored(tenant)] == [(status, False)]
    store(tenant, value)
    synchronise()
    assert counts(scan.scan(tenant, 100)) == {"created": 1}
    assert sorted((each.episode, each.status) for each in stored(tenant)) == [(1, status), (2, "new")]


def test_a_stale_warehouse_only_proposes(
    tenant: Context, warehouse: Warehouse, fruit: KeywordMaker, synchronise: Synchronise
) -> None:
    gone, kept = fruit("gone"), fruit("kept")
    store(tenant, gone, kept)
    warehouse.keywords(gone, kept)
    store(tenant, gone.model_copy(update={"difficulty_score": 90.0}))
    assert counts(scan.scan(tenant, 100)) == {"created": 1, "outdated": 1}
    synchronise()
    warehouse.keywords(kept.model_copy(update={"difficulty_score": 90.0}))
    assert counts(scan.scan(tenant, 100)) == {"outdated": 1}, "the document still holds"
    assert [(each.keyword, each.status) for each in stored(tenant)] == [("kept", "new")]


def test_an_episode_the_warehouse_has_not_seen_is_not_revived(
    tenant: Context, warehouse: Warehouse, fruit: KeywordMaker, synchronise: Synchronise
) -> None:
    value = fruit("back and forth")
    store(tenant, value)
    synchronise()
    scan.scan(tenant, 100)
    synchronise()
    store(tenant, value.model_copy(update={"difficulty_score": 90.0}))
    warehouse.keywords(value.model_copy(update={"difficulty_score": 90.0}))
    scan.scan(tenant, 100)
    store(tenant, value)
    warehouse.keywords(value)
    warehouse.clear("opportunity")
    assert counts(scan.scan(tenant, 100)) == {"created": 1}
    assert sorted((each.episode, each.status) for each in stored(tenant)) == [(1, "closed"), (2, "new")]


def test_a_run_is_bounded_and_the_tenant_stays_marked_until_nothing_remains(
    tenant: Context, fruit: KeywordMaker, synchronise: Synchronise, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tenant, *(fruit(f"keyword {number}", search_volume=1000 + number) for number in range(5)))
    synchronise()
    monkeypatch.setattr(scan, "SCHEDULED_LIMIT", 3)
    marks.set_marks(tenant, tenant.tenant_id, [(SCAN, marks.EVERYTHING)])
    claim = marks.claim(tenant, SCAN, tenant.tenant_id)
    assert claim is not None
    first = scan.scan_claimed(tenant, ScanTask(working_since=claim.working_since))
    assert counts(first) == {"created": 3, "remaining": 2}
    assert {each.search_volume for each in stored(tenant)} == {1002, 1003, 1004}, "the greatest gain first"
    again = marks.claim(tenant, SCAN, tenant.tenant_id)
    assert again is not None, "what remains keeps the tenant marked"
    synchronise()
    second = scan.scan_claimed(tenant, ScanTask(working_since=again.working_since))
    assert counts(second) == {"created": 2, "unchanged": 3}
    assert marks.claim(tenant, SCAN, tenant.tenant_id) is None


def scheduled(platform: Context, tenant: Context, now: datetime) -> list[ScanResult]:
    """Fire the schedule at a time and do the tasks it made for the tenant; return what they did."""
    made = {task.name for task in tasks_of(platform.clients, scan.TENANT_TASK)}
    scan.enqueue_changed(platform, now)
    tasks = [task for task in tasks_of(platform.clients, scan.TENANT_TASK) if task.name not in made]
    bodies = [ScanTask.model_validate_json(task.http_request.body) for task in tasks]
    return [scan.scan_claimed(tenant, body, now) for body in bodies]


def test_an_opportunity_ends_when_its_keyword_is_not_checked_again_although_nothing_changes(
    tenant: Context, fruit: KeywordMaker, synchronise: Synchronise
) -> None:
    make_queues(tenant.clients, scan.TENANT_TASK)
    platform = dataclasses.replace(tenant, tenant_id=PLATFORM_TENANT)
    now = datetime.now(UTC)
    midnight = datetime.combine(now.date(), time.min, UTC)
    older, newer = (fruit(f"{days} days ago", last_checked=now - timedelta(days=days)) for days in (20, 3))
    store(tenant, older, newer)
    synchronise()
    marks.set_marks(tenant, tenant.tenant_id, [(SCAN, marks.EVERYTHING)])
    assert [counts(each) for each in scheduled(platform, tenant, now)] == [{"created": 2}]
    synchronise()

    assert scheduled(platform, tenant, midnight + timedelta(days=11, seconds=-1)) == [], "the 30th day still counts"
    assert [counts(each) for each in scheduled(platform, tenant, midnight + timedelta(days=11))] == [
        {"unchanged": 1, "closed": 1}
    ]
    synchronise()
    assert {each.keyword: each.closed_reason for each in stored(tenant)} == {
        older.keyword: "not_checked_in_30_days",
        newer.keyword: None,
    }

    assert scheduled(platform, tenant, midnight + timedelta(days=28, seconds=-1)) == []
    assert [counts(each) for each in scheduled(platform, tenant, midnight + timedelta(days=28))] == [{"closed": 1}]
    synchronise()
    assert {each.closed_reason for each in stored(tenant)} == {"not_checked_in_30_days"}
    assert scheduled(platform, tenant, midnight + timedelta(days=4000)) == [], "nothing is left that could end"


def test_the_answer_is_ranked_by_expected_gain(tenant: Context, fruit: KeywordMaker, synchronise: Synchronise) -> None:
    store(tenant, *(fruit(f"keyword {volume}", search_volume=volume) for volume in (300, 9000, 1200)))
    synchronise()
    result = scan.scan_now(tenant)
    assert [each.search_volume for each in result.items] == [9000, 1200, 300]
    assert result.found == 3


def test_only_the_own_tenant_is_scanned(
    tenant: Context, fruit: KeywordMaker, synchronise: Synchronise, clients: Any
) -> None:
    from tests.common.aso.scan.conftest import context_for

    other = context_for(clients, f"{tenant.tenant_id}_b")
    store(other, keyword(other, "theirs", **fruit("x").model_dump(include={"search_volume", "current_ranking"})))
    store(tenant, fruit("ours"))
    synchronise()
    scan.scan(tenant, 100)
    assert {each.keyword for each in stored(tenant)} == {"ours"}
    assert stored(other) == []
