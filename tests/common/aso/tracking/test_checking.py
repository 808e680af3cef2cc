"""Checks from plan to observation: paid once, within the budget, three-valued, whatever crashes in between."""

from __future__ import annotations

import dataclasses
import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common import objects
from common.aso import content, ranks
from common.aso.content_models import ContentCreate
from common.aso.entities import KEYWORDS, RANK_OBSERVATIONS
from common.aso.models import Keyword, RankObservation
from common.aso.site import service
from common.aso.site.models import SettingsInput
from common.aso.tracking import budget, chain, checking, claims, planning, status
from common.aso.tracking.checking import fetch_batch
from common.aso.tracking.deployment import deployment_of
from common.aso.tracking.ledger import Ledger, Limits, Spent
from common.aso.tracking.models import CheckRequest, FetchTask, PlanTask
from common.aso.tracking.plan import hour_of, slot_of
from common.context import PLATFORM_TENANT, Context
from common.errors import Conflict, TooManyRequests, Unavailable, Unprocessable
from common.store import Repository
from tests.common.aso.tracking.conftest import MakeTenant, follow
from tests.common.queues import tasks_of
from tests.serp import PRICES, SerpServer

OTHERS = [f"https://site-{number}.example.net/" for number in range(1, 25)]
OWN = "https://www.example.com/scan"


def task(*keyword_ids: str, batch: str = "batch-1", **fields: Any) -> FetchTask:
    return FetchTask(
        batch=batch, planned_at=fields.pop("planned_at", datetime.now(UTC)), keyword_ids=keyword_ids, **fields
    )


def observations(context: Context, keyword_id: str) -> list[RankObservation]:
    filters = [("keyword_id", "==", keyword_id)]
    return [each.value for each in Repository(RANK_OBSERVATIONS, context).select(filters, ("date",))]


def stored(context: Context, keyword_id: str) -> Keyword:
    return Repository(KEYWORDS, context).get(keyword_id).value


def ledger(context: Context) -> Ledger:
    return budget.ledger_of(context, datetime.now(UTC))


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "PAUSE", 0.001)


def test_a_check_is_recorded_with_everything_it_saw(make_tenant: MakeTenant, server: SerpServer) -> None:
    context = make_tenant()
    body = ContentCreate(content_type="hub", keyword_primary="scan", title="Scan", url="https://example.com/scan/")
    piece = content.create(context, body).value
    [found, missing] = follow(context, "scan", "no such", content_id=piece.content_id)
    other_page = "https://shop.example.com/other"
    server.results |= {"scan": [OTHERS[0], "https://a.rival.com/", other_page, OWN], "no such": OTHERS[:12]}
    outcome = fetch_batch(context, task(found, missing))
    assert (outcome.ranked, outcome.not_found, outcome.failed) == (1, 1, 0)
    [look] = observations(context, found)
    assert (look.state, look.position, look.url, look.target_position) == ("ranked", 3, other_page, 4)
    assert (look.device, look.locale, look.source, look.provider) == ("desktop", "en-US", "rank_tracker", "serpapi")
    assert look.features == ["ads", "people_also_ask", "sitelinks"]
    assert [page.position for page in look.own_pages] == [3, 4]
    assert look.competitors is not None
    assert (look.competitors[0].competitor, look.competitors[0].position) == ("rival.com", 2)
    keyword = stored(context, found)
    assert (keyword.current_ranking, keyword.competitor_rankings) == (3, look.competitors)
    [lost] = observations(context, missing)
    assert (lost.state, lost.position, lost.depth) == ("not_found", None, 20)
    assert stored(context, missing).current_ranking is None
    packed = objects.read(context, context.clients.settings.content_bucket, look.raw_path or "")
    assert packed is not None
    kept = json.loads(gzip.decompress(packed))
    assert kept["answers"][0]["organic_results"][2]["link"] == other_page
    assert ledger(context).month == Spent(checks=2, milli=3 * PRICES["serpapi"])


def test_a_task_that_runs_again_pays_for_nothing_twice(make_tenant: MakeTenant, server: SerpServer) -> None:
    context = make_tenant()
    [one, two] = follow(context, "one", "two")
    server.results |= {"one": [OWN], "two": OTHERS[:3]}
    first = task(one, two)
    fetch_batch(context, first)
    calls, spent = list(server.calls), ledger(context)
    again = fetch_batch(context, first)
    other = fetch_batch(context, task(two, one, batch="batch-2", on_demand=True))
    assert (again.known, other.known) == (2, 2)
    assert server.calls == calls
    assert ledger(context) == spent
    assert len(observations(context, one)) == 1


def test_every_provider_failing_is_a_failed_check_and_never_a_rank(make_tenant: MakeTenant, server: SerpServer) -> None:
    context = make_tenant()
    [name] = follow(context, "scan")
    server.results["scan"] = [OWN]
    fetch_batch(context, task(name))
    assert stored(context, name).current_ranking == 1
    server.modes |= {"serpapi": "html", "dataforseo": "quota"}
    [other] = follow(context, "other")
    assert fetch_batch(context, task(other, batch="b2")).failed == 1
    [look] = observations(context, other)
    assert (look.state, look.position, look.depth, look.provider) == ("check_failed", None, None, None)
    keyword = stored(context, other)
    assert (keyword.current_ranking, keyword.last_checked) == (None, None)
    assert keyword.last_failed_check is not None
    told = {each.name: each.last_failure for each in status.status(context).providers}
    assert told == {"serpapi": "unexpected_shape", "dataforseo": "status_40200"}


def test_what_failed_is_tried_again_by_who_asks_for_it_and_not_by_the_plan(
    make_tenant: MakeTenant, server: SerpServer
) -> None:
    context = make_tenant("serpapi")
    [name] = follow(context, "scan")
    server.results["scan"] = [OWN]
    server.modes["serpapi"] = "quota"
    fetch_batch(context, task(name))
    server.modes.clear()
    assert fetch_batch(context, task(name, batch="planned")).known == 1
    assert fetch_batch(context, task(name, batch="asked", on_demand=True)).ranked == 1
    assert sorted(each.state for each in observations(context, name)) == ["check_failed", "ranked"]
    assert stored(context, name).current_ranking == 1


def test_a_crash_after_the_answer_was_stored_loses_nothing_and_pays_once(
    make_tenant: MakeTenant, server: SerpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_tenant()
    [name] = follow(context, "scan")
    server.results["scan"] = [OTHERS[0], OWN]

    def crash(*_: object) -> None:
        raise Unavailable("firestore", "gone")

    with monkeypatch.context() as broken:
        broken.setattr(ranks, "record", crash)
        with pytest.raises(Unavailable):
            fetch_batch(context, task(name))
    calls = list(server.calls)
    assert fetch_batch(context, task(name)).ranked == 1
    assert server.calls == calls
    assert stored(context, name).current_ranking == 2
    assert ledger(context).month == Spent(checks=1, milli=PRICES["serpapi"])
    assert ledger(context).reservations == {}


def test_a_crash_during_the_call_is_not_paid_for_again(
    make_tenant: MakeTenant, server: SerpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_tenant("serpapi")
    [name] = follow(context, "scan")
    server.results["scan"] = [OWN]

    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as broken:
        broken.setattr(checking, "look", kill)
        with pytest.raises(Killed):
            fetch_batch(context, task(name))
    assert fetch_batch(context, task(name)).failed == 1
    assert server.calls == []
    [look] = observations(context, name)
    assert look.state == "check_failed"
    # Nobody knows what the call cost, so it counts as the most it can have.
    assert ledger(context).month == Spent(checks=1, milli=(2 + chain.MORE_CALLS) * PRICES["serpapi"])


def test_two_batches_at_once_look_once(make_tenant: MakeTenant, server: SerpServer) -> None:
    context = make_tenant("dataforseo")
    [name] = follow(context, "scan")
    server.results["scan"] = [OWN]
    with ThreadPoolExecutor(2) as pool:
        batches = [pool.submit(fetch_batch, context, task(name, batch=f"b{number}")) for number in range(2)]
        assert sorted(each.result().ranked for each in batches) == [0, 1]
    assert server.of("scan") == ["dataforseo"]


def test_the_budget_ends_the_checks(make_tenant: MakeTenant, server: SerpServer) -> None:
    context = make_tenant("serpapi", tracking={"budget": {"checks_per_day": 2}})
    names = follow(context, "one", "two", "three")
    server.results |= {"one": [OWN], "two": [OWN], "three": [OWN]}
    outcome = fetch_batch(context, task(*names))
    assert (outcome.ranked, outcome.over_budget) == (2, 1)
    assert observations(context, names[2]) == [], "no budget says nothing about the rank"
    assert fetch_batch(context, task(names[2], batch="b2")).over_budget == 1
    with pytest.raises(TooManyRequests) as refused:
        status.check_now(context, CheckRequest(keyword_ids=[names[2]]))
    assert refused.value.code == "budget_exhausted"
    assert int(refused.value.headers["Retry-After"]) <= 86_400


def test_reservations_at_once_never_exceed_the_budget(make_tenant: MakeTenant) -> None:
    context = make_tenant()
    limits, now = Limits(checks_per_day=7, milli_per_month=5000), datetime.now(UTC)

    def reserve(number: int) -> int:
        return budget.reserve(context, f"r{number}", 3, 500, limits, now).checks

    with ThreadPoolExecutor(3) as pool:
        granted = list(pool.map(reserve, range(4)))
    assert sum(granted) == 7
    held = granted.index(3)  # the last one gets what is left, which may be nothing
    assert budget.reserve(context, f"r{held}", 3, 500, limits, now) == budget.Granted(checks=3, again=True)
    budget.settle(context, f"r{held}", Spent(checks=1, milli=100), now)
    assert ledger(context).month == Spent(checks=7 - 3 + 1, milli=500 * 4 + 100)


def test_keywords_over_all_devices_are_not_checked(make_tenant: MakeTenant, server: SerpServer) -> None:
    context = make_tenant()
    [name] = follow(context, "scan", device="all")
    assert fetch_batch(context, task(name)).gone == 1
    assert server.calls == []


def test_a_batch_that_waited_a_day_is_dropped(make_tenant: MakeTenant, server: SerpServer) -> None:
    context = make_tenant()
    [name] = follow(context, "scan")
    fetch_batch(context, task(name, planned_at=datetime.now(UTC) - timedelta(days=1)))
    assert server.calls == []


def test_a_claim_of_a_worker_that_vanished_is_taken_over(make_tenant: MakeTenant, server: SerpServer) -> None:
    context = make_tenant()
    subject = claims.Subject(keyword_id="k", day="2026-11-21", device="desktop", locale="en")
    now = datetime.now(UTC)
    assert claims.claim(context, subject, "one", now).state == "fresh"
    assert claims.claim(context, subject, "two", now).state == "busy"
    late = claims.claim(context, subject, "two", now + claims.LEASE + timedelta(seconds=1))
    assert (late.state, late.ours) == ("interrupted", False)
    assert claims.claim(context, subject, "one", now).state == "interrupted"
    claims.finish(context, subject, "one", now, failed=False, milli=5)
    claims.finish(context, subject, "two", now, failed=True)
    assert claims.claim(context, subject, "one", now) == claims.Claim(state="done", checked_at=now, milli=5)


# ---------------------------------------------------------------------- the plan


def planned(context: Context) -> list[FetchTask]:
    """Return the tasks of the tenant that wait."""
    requests = [each.http_request for each in tasks_of(context.clients, "aso-rank-fetch")]
    own = [each for each in requests if context.tenant_id in each.headers.values()]
    return [FetchTask.model_validate_json(each.body) for each in own]


def test_a_round_of_the_plan_holds_every_keyword_once(make_tenant: MakeTenant, server: SerpServer) -> None:
    context = make_tenant(tracking={"plan": {"tier1": 1}})
    names = set(follow(context, *(f"keyword {number}" for number in range(40)), priority="tier1"))
    now = datetime.now(UTC)
    start = hour_of(now) - 24
    planning.plan_tenant(context, PlanTask(hour=start), now - timedelta(hours=24))
    first = [name for each in planned(context) for name in each.keyword_ids]
    assert set(first) == {name for name in names if slot_of(name, 24) == start % 24}
    assert planning.plan_tenant(context, PlanTask(hour=start), now - timedelta(hours=24)) == 0
    told = status.status(context, now)
    assert told.tiers[0].due == 40 == told.tiers[0].keywords
    # The schedule was down for a day: one round is due, and no more.
    planning.plan_tenant(context, PlanTask(hour=hour_of(now)), now)
    rest = [name for each in planned(context) for name in each.keyword_ids][len(first) :]
    assert sorted(rest) == sorted(names)
    assert status.status(context, now).tiers[0].due == 0
    assert max(len(each.keyword_ids) for each in planned(context)) <= 10


def test_the_plan_stops_at_the_budget_and_goes_on_where_it_stopped(make_tenant: MakeTenant) -> None:
    context = make_tenant(tracking={"plan": {"tier1": 1}, "budget": {"checks_per_day": 15}})
    names = follow(context, *(f"keyword {number}" for number in range(30)), priority="tier1")
    now = datetime.now(UTC).replace(hour=12)
    day_before = now - timedelta(days=1)
    assert planning.plan_tenant(context, PlanTask(hour=hour_of(day_before)), day_before) <= 15
    done = len([name for each in planned(context) for name in each.keyword_ids])
    assert planning.plan_tenant(context, PlanTask(hour=hour_of(now)), now) == 15
    assert planning.plan_tenant(context, PlanTask(hour=hour_of(now)), now) == 0
    tomorrow = now + timedelta(days=1)
    left = 30 - 15
    assert planning.plan_tenant(context, PlanTask(hour=hour_of(tomorrow)), tomorrow) == min(15, left + done)
    seen = [name for each in planned(context) for name in each.keyword_ids][done:]
    assert sorted(seen) == sorted(names), "nobody is starved by those before"


def test_only_tenants_that_ask_for_it_are_planned(make_tenant: MakeTenant) -> None:
    on, off = make_tenant(), make_tenant(tracking={"enabled": False})
    platform = dataclasses.replace(on, tenant_id=PLATFORM_TENANT)
    planning.enqueue_tenants(platform)
    planning.enqueue_tenants(platform)
    tasks = [each.name for each in tasks_of(on.clients, "aso-rank-plan-tenant")]
    assert len([name for name in tasks if on.tenant_id in name]) == 1
    assert [name for name in tasks if off.tenant_id in name] == []
    assert planning.plan_tenant(off, PlanTask(hour=hour_of(datetime.now(UTC)))) == 0


def test_without_a_provider_nothing_is_planned_and_the_status_says_why(make_tenant: MakeTenant) -> None:
    context = make_tenant("serper", tracking={"providers": ["serpapi"]})
    [name] = follow(context, "scan")
    assert status.status(context).state == "no_provider"
    assert planning.plan_tenant(context, PlanTask(hour=hour_of(datetime.now(UTC)))) == 0
    with pytest.raises(Conflict, match="none of the providers"):
        status.check_now(context, CheckRequest(keyword_ids=[name]))
    assert {(each.name, each.configured, each.order) for each in status.status(context).providers} == {
        ("serper", True, None),
        ("serpapi", False, None),
    }
    bare = dataclasses.replace(context.clients.settings, rank_tracking="")
    assert deployment_of(bare).providers == []


def test_without_a_site_nothing_can_be_found(make_tenant: MakeTenant) -> None:
    context = make_tenant(site_hosts=[])
    [name] = follow(context, "scan")
    assert status.status(context).state == "no_site"
    with pytest.raises(Conflict) as refused:
        status.check_now(context, CheckRequest(keyword_ids=[name]))
    assert refused.value.code == "no_site"
    service.put(context, SettingsInput())
    assert status.status(context).state == "off"


def test_a_check_that_is_asked_for_is_enqueued(make_tenant: MakeTenant) -> None:
    context = make_tenant(tracking={"budget": {"checks_per_day": 12}})
    names = follow(context, *(f"keyword {number}" for number in range(14)))
    [everywhere] = follow(context, "all devices", device="all")
    answer = status.check_now(context, CheckRequest(keyword_ids=[*names, everywhere, names[0]]))
    assert answer.status == 202
    told = answer.content
    assert (told.accepted, told.over_budget, told.not_checkable) == (12, 2, 1)
    assert [len(each.keyword_ids) for each in planned(context)] in ([10, 2], [2, 10])
    assert all(each.on_demand for each in planned(context))
    with pytest.raises(Unprocessable) as refused:
        status.check_now(context, CheckRequest(keyword_ids=[names[0], "6d1f7c1e-5a0c-5b7e-9a55-000000000000"]))
    assert refused.value.errors[0].pointer == "/keyword_ids/1"


def test_the_status_tells_what_was_spent(make_tenant: MakeTenant, server: SerpServer) -> None:
    limits: dict[str, Any] = {"checks_per_day": 100, "spend_per_month_minor": 500}
    context = make_tenant(deployment={"checks_per_day": 50}, tracking={"budget": limits})
    [name] = follow(context, "scan")
    server.results["scan"] = [OWN]
    fetch_batch(context, task(name))
    told = status.status(context)
    assert (told.state, told.currency) == ("on", "USD")
    assert (told.day.checks, told.day.checks_limit, told.day.spend_minor) == (1, 50, 1)
    assert (told.month.spend_limit_minor, told.month.checks_limit) == (500, None)
    assert [(each.name, each.order, each.circuit) for each in told.providers] == [
        ("serpapi", 1, "CLOSED"),
        ("dataforseo", 2, "CLOSED"),
    ]
