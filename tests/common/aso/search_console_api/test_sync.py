"""The synchronisation against a server that answers as Search Console: complete, resumable, patient, never twice."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import Conflict as BucketExists

from common.aso.performance import read
from common.aso.performance.read_models import Performance, PerformanceQuery
from common.aso.search_console_api import api, plan, start, sync
from common.aso.site import service as site_service
from common.aso.site.models import SettingsInput
from common.clients.bigquery import bigquery_client
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.context import PLATFORM_TENANT, Context, Deadline, Principal
from common.errors import Unprocessable
from common.jobs.entities import JOBS
from common.jobs.models import Job, JobTask
from common.jobs.run import run_job
from common.store import Repository
from common.technical import SEARCH_CONSOLE_CALLS
from common.warehouse import facts as writing
from common.warehouse.provision import provision_tenant
from common.warehouse.query import rows
from tests.common.aso.search_console_api.server import SearchConsoleServer, Shown, search_console
from tests.common.queues import make_queues, tasks_of
from tests.stack import TestEmulators
from tests.warehouse_guard import guarded

SITE = "sc-domain:example.com"
TODAY = date(2026, 11, 20)
D1, D2, D3 = (str(TODAY - timedelta(days=days)) for days in (2, 3, 30))
"""Two days that may still change, and one that does not."""
RECENT = TODAY - timedelta(days=9)


@pytest.fixture(scope="module")
def server() -> Iterator[SearchConsoleServer]:
    """Search Console, on this machine."""
    with search_console() as running:
        yield running


@pytest.fixture(scope="module")
def clients(emulators: TestEmulators, server: SearchConsoleServer) -> Iterator[Clients]:
    """Clients of a deployment that calls the server."""
    extra = {"XYNERGY_SEARCH_CONSOLE_URL": server.url, "XYNERGY_FETCH_LOOPBACK": "1"}
    made = Clients(emulators.settings("gsc_sync", extra))
    make_queues(made, start.RUN)
    with contextlib.suppress(BucketExists):
        made.get(storage_client).create_bucket(made.settings.report_bucket)
    with guarded(made.get(bigquery_client)):
        yield made


def context_for(clients: Clients, tenant_id: str) -> Context:
    """Return the circumstances of some work for a tenant."""
    return Context(
        function="aso-search-console-sync-run",
        tenant_id=tenant_id,
        principal=Principal(kind="service", id="test"),
        clients=clients,
        deadline=Deadline.after(120),
    )


@pytest.fixture(scope="module")
def provisioned(clients: Clients) -> str:
    """A tenant with tables, for the module: each test has a property of its own."""
    tenant_id = f"t{uuid.uuid4().hex[:10]}"
    provision_tenant(context_for(clients, tenant_id), tenant_id)
    return tenant_id


@pytest.fixture
def tenant(clients: Clients, provisioned: str, server: SearchConsoleServer, monkeypatch: pytest.MonkeyPatch) -> Context:
    """The tenant on a fixed day, with an empty property and a server without faults."""
    monkeypatch.setattr(sync, "today", lambda: TODAY)
    server.properties.clear()
    server.faults.clear()
    server.calls.clear()
    server.quota, server.final_until, server.asked = None, "9999-12-31", 0
    context = context_for(clients, provisioned)
    for relation in ("search_performance", "search_performance_batches"):
        name = f"{clients.settings.project}.aso_tenant_{provisioned}.{relation}"
        clients.get(bigquery_client).query_and_wait(f"DELETE FROM `{name}` WHERE TRUE")
    return context


def started(context: Context, site: str = SITE) -> Job:
    """Start a synchronisation as the operation does."""
    site_service.put(context, SettingsInput(search_console_site=site))
    answer = start.start_now(context).content
    return Repository(JOBS, context).get(str(answer.job_id)).value


def attempted(context: Context, job: Job) -> Job:
    """Deliver the job's task once; return the job as it is then."""
    run_job(context, JobTask(job_id=job.job_id), sync.run)
    return Repository(JOBS, context).get(str(job.job_id)).value


def synced(context: Context) -> Job:
    """Start a synchronisation and do all of it."""
    return attempted(context, started(context))


def figures(context: Context, by: str, first: str = D3, last: str = D1) -> dict[str, tuple[int, int]]:
    """Return clicks and impressions as the operation answers them, past the cache."""
    asked = PerformanceQuery.model_validate({"by": by, "from": first, "to": last})
    answer: Performance = read.compute(context, asked, *read.range_of(asked))
    return {item.key: (item.clicks, item.impressions) for item in answer.items}


SHOWN = [
    Shown(D3, "shoes", "https://example.com/shoes", 5, 100),
    Shown(D3, "red shoes", "https://example.com/shoes", 2, 40, device="DESKTOP", country="deu"),
    Shown(D3, None, "https://example.com/rare", 1, 3),
    Shown(D2, "shoes", "https://example.com/shoes", 7, 110),
    Shown(D1, "boots", "https://example.com/boots", 4, 50),
]


def test_every_cut_is_exact(tenant: Context, server: SearchConsoleServer) -> None:
    """Days and pages count rare searches, which only the cut by search leaves out; nothing counts twice."""
    server.properties[SITE] = list(SHOWN)
    job = synced(tenant)
    assert (job.status, job.error) == ("succeeded", None)
    assert job.result is not None
    assert job.result["days"] == 3
    assert job.result["remaining"] == 0
    assert job.result["newest_day"] == D1
    assert figures(tenant, "day") == {D3: (8, 143), D2: (7, 110), D1: (4, 50)}
    assert figures(tenant, "page") == {
        "https://example.com/shoes": (14, 250),
        "https://example.com/boots": (4, 50),
        "https://example.com/rare": (1, 3),
    }
    assert figures(tenant, "query") == {"shoes": (12, 210), "boots": (4, 50), "red shoes": (2, 40)}
    assert figures(tenant, "device") == {"mobile": (17, 263), "desktop": (2, 40)}
    assert figures(tenant, "country") == {"usa": (17, 263), "deu": (2, 40)}
    assert server.asked == job.result["calls"] == 1 + 3 * 3
    assert all(call["dataState"] == "final" and call["type"] == "web" for call in server.calls)


def test_a_day_that_changed_replaces_what_it_said(tenant: Context, server: SearchConsoleServer) -> None:
    """Unsettled days are asked for again, settled ones never; what a day no longer says is gone."""
    server.properties[SITE] = list(SHOWN)
    synced(tenant)
    changed = [replace(shown, clicks=shown.clicks + 1) for shown in SHOWN if shown.day != D1]
    server.properties[SITE] = [*changed, Shown(D1, "sandals", "https://example.com/boots", 9, 60)]
    server.calls.clear()
    synced(tenant)
    assert {call["startDate"] for call in server.calls[1:]} == {D1, D2}
    assert figures(tenant, "query", first=D2) == {"sandals": (9, 60), "shoes": (8, 110)}
    assert figures(tenant, "day", last=D3) == {D3: (8, 143)}, "a settled day stays as it was"
    [kept] = rows(tenant, "SELECT COUNT(*) AS number FROM {search_performance} WHERE date >= @first", {"first": RECENT})
    assert kept["number"] == 3 + 3, "what was replaced is gone, not kept for ever"


def test_pages_are_fetched_to_the_last_row(
    tenant: Context, server: SearchConsoleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (api, sync):
        monkeypatch.setattr(module, "PAGE_ROWS", 10)
    many = [Shown(D3, f"search {number}", "https://example.com/", number, 100) for number in range(20)]
    server.properties[SITE] = many
    synced(tenant)
    assert figures(tenant, "query") == {f"search {number}": (number, 100) for number in range(20)}
    cut = [call["startRow"] for call in server.calls if "query" in call["dimensions"]]
    assert cut == [0, 10, 20], "a full page may not be the last one"


@pytest.mark.parametrize("fault", ["reset", "half", "error", "nonsense"])
def test_what_breaks_off_is_asked_for_again(
    tenant: Context, server: SearchConsoleServer, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a page of rows and then a broken connection is no page: nothing of it is stored, and nothing is missing."""
    for module in (api, sync):
        monkeypatch.setattr(module, "PAGE_ROWS", 2)
    server.properties[SITE] = [shown for shown in SHOWN if shown.day == D3]
    job = started(tenant)
    real, count = server.answer, iter(range(100))

    def answering(site: str, body: Any) -> Any:
        if next(count) == 1:  # the next answer is a page of rows
            server.faults.append(fault)
        return real(site, body)

    monkeypatch.setattr(server, "answer", answering)
    job = attempted(tenant, job)
    assert job.status == "succeeded"
    assert figures(tenant, "query") == {"shoes": (5, 100), "red shoes": (2, 40)}
    assert figures(tenant, "day") == {D3: (8, 143)}
    assert job.result is not None
    assert job.result["calls"] == server.asked, "a repeated call counts as well"


def test_a_crash_goes_on_where_it_was(
    tenant: Context, server: SearchConsoleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the pages of a day, the day is not to be seen, and the next run asks for the rest alone."""
    for module in (api, sync):
        monkeypatch.setattr(module, "PAGE_ROWS", 2)
    monkeypatch.setattr("common.jobs.run.WRITE_EVERY", 0.0)
    server.properties[SITE] = [Shown(D3, f"search {n}", "https://example.com/", n, 10) for n in range(5)]
    job = started(tenant)
    real = writing.append_facts
    stored = 0

    def crashing(*given: Any, **options: Any) -> int:
        nonlocal stored
        if stored == 3:
            raise MemoryError("the instance is gone")
        stored += 1
        return real(*given, **options)

    monkeypatch.setattr(sync, "append_facts", crashing)
    with pytest.raises(MemoryError):
        attempted(tenant, job)
    assert figures(tenant, "query") == {}
    assert figures(tenant, "day") == {D3: (10, 50)}, "cuts that were complete are there"
    monkeypatch.setattr(sync, "append_facts", real)
    server.calls.clear()
    assert attempted(tenant, job).status == "succeeded"
    assert figures(tenant, "query") == {f"search {n}": (n, 10) for n in range(5)}
    assert [call["startRow"] for call in server.calls if "query" in call["dimensions"]] == [2, 4]
    assert not [call for call in server.calls if call["dimensions"] == ["device", "country"]]


@pytest.mark.parametrize("fault", ["quota", "rate", "load_429"])
def test_quota_makes_a_job_wait_and_never_fail(tenant: Context, server: SearchConsoleServer, fault: Any) -> None:
    server.properties[SITE] = list(SHOWN)
    server.quota = 5
    if fault != "quota":
        server.faults.append(fault)
    job = attempted(tenant, started(tenant))
    assert (job.status, job.part, job.error) == ("running", 1, None)
    [task] = [task for task in tasks_of(tenant.clients, start.RUN) if str(job.job_id) in task.name]
    wait = task.schedule_time - task.create_time
    assert timedelta(seconds=50) < wait < timedelta(minutes=16)
    before = server.asked
    server.quota = None
    job = attempted(tenant, job)
    assert job.status == "succeeded"
    assert figures(tenant, "day") == {D3: (8, 143), D2: (7, 110), D1: (4, 50)}
    left = 5 if fault == "quota" else 9
    assert server.asked - before == 1 + left, "what was published is not asked for again, though it may still change"


def test_quota_that_stays_away_leaves_the_rest_to_the_next_day(
    tenant: Context, server: SearchConsoleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "WAITS", 2)
    server.properties[SITE] = list(SHOWN)
    server.quota = 5
    job = started(tenant)
    for _ in range(3):
        job = attempted(tenant, job)
        server.quota = 1  # enough to be told the days, again and again
    assert job.status == "succeeded"
    assert job.result is not None
    assert job.result["stopped"] == "quota"
    assert figures(tenant, "day") == {D1: (4, 50), D2: (7, 110)}, "the newest days first"
    server.quota = None
    job = synced(tenant)
    assert job.result is not None
    assert (job.result["stopped"], job.result["remaining"]) == (None, 0)
    assert figures(tenant, "day") == {D3: (8, 143), D2: (7, 110), D1: (4, 50)}


def test_our_own_budget_bounds_the_calls_of_a_day(
    tenant: Context, server: SearchConsoleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is started, a day's calls stay within the budget; what is not used is given back."""
    used = sum(call["used"] for call in _budgets(tenant))
    limited = replace(tenant.clients.settings, search_console_calls=used + 6)
    monkeypatch.setattr(tenant.clients, "settings", limited)
    server.properties[SITE] = [shown for shown in SHOWN if shown.day == D3]
    first = synced(tenant)
    assert first.result is not None
    assert (first.result["calls"], first.result["stopped"]) == (4, None)
    server.properties[SITE] = list(SHOWN)
    second = synced(tenant)
    assert second.result is not None
    assert (second.result["calls"], second.result["stopped"]) == (2, "budget")
    assert second.result["remaining"] == 5
    third = synced(tenant)
    assert third.result is not None
    assert (third.result["calls"], third.result["stopped"]) == (0, "budget")
    assert server.asked == 6


def _budgets(context: Context) -> list[dict[str, Any]]:
    found = context.clients.get(firestore_client).collection(SEARCH_CONSOLE_CALLS.path).stream()
    return [snapshot.to_dict() for snapshot in found if snapshot.id == f"{context.tenant_id}:{TODAY}"]


def test_a_property_nobody_verified_is_told_as_such(tenant: Context) -> None:
    job = attempted(tenant, started(tenant, "https://stranger.example/"))
    assert job.status == "failed"
    assert job.error is not None
    assert job.error.code == "not_verified"
    assert "https://stranger.example/" in job.error.detail
    assert "sufficient permission" in job.error.detail


def test_an_expired_token_is_no_failure(tenant: Context, server: SearchConsoleServer) -> None:
    server.properties[SITE] = list(SHOWN)
    server.faults.append("unauthorized")
    assert synced(tenant).status == "succeeded"


def test_days_that_are_not_final_wait(tenant: Context, server: SearchConsoleServer) -> None:
    """A day without final data is not stored as a day without visits."""
    server.properties[SITE] = list(SHOWN)
    server.final_until = D2
    synced(tenant)
    assert figures(tenant, "day") == {D3: (8, 143), D2: (7, 110)}
    server.final_until = D1
    synced(tenant)
    assert figures(tenant, "day") == {D3: (8, 143), D2: (7, 110), D1: (4, 50)}
    asked = server.calls[0]
    assert (asked["startDate"], asked["endDate"]) == (str(plan.oldest_day(TODAY)), D1)
    assert (TODAY - plan.oldest_day(TODAY)).days <= 488


def test_rows_that_are_no_figures_are_kept_aside(tenant: Context, server: SearchConsoleServer) -> None:
    server.properties[SITE] = [
        Shown(D3, "shoes", "https://example.com/", 1, 10),
        Shown(D3, "on a fridge", "https://example.com/", 1, 10, device="FRIDGE"),
        Shown(D3, "x" * 500, "https://example.com/", 2, 10, position=2.0),
        Shown(D3, "x" * 450, "https://example.com/", 1, 30, position=4.0),
    ]
    job = synced(tenant)
    assert job.result is not None
    assert (job.status, job.result["refused"], job.errors_file) == ("succeeded", 3, True)
    found = figures(tenant, "query")
    assert found == {"shoes": (1, 10), "x" * 400: (3, 40)}
    [row] = rows(
        tenant,
        "SELECT position FROM {search_performance_latest} WHERE date = @day AND clicks = 3 AND query IS NOT NULL",
        {"day": date.fromisoformat(D3)},
    )
    assert row["position"] == 3.5


def test_without_a_property_there_is_nothing_to_start(tenant: Context) -> None:
    site_service.put(tenant, SettingsInput())
    with pytest.raises(Unprocessable) as refused:
        start.start_now(tenant)
    assert refused.value.code == "search_console_not_set"
    off = Clients(replace(tenant.clients.settings, search_console_url=""))
    with pytest.raises(Unprocessable) as refused:
        start.start_now(context_for(off, tenant.tenant_id))
    assert refused.value.code == "search_console_off"


def test_each_day_every_tenant_with_a_property_gets_one_job(clients: Clients) -> None:
    names = [f"t{uuid.uuid4().hex[:10]}" for _ in range(4)]
    for name in names:
        site = None if name == names[0] else f"sc-domain:{name}.example"
        site_service.put(context_for(clients, name), SettingsInput(search_console_site=site))
    platform = context_for(clients, PLATFORM_TENANT)
    start.start_daily(platform)
    start.start_daily(platform)
    found = {name: Repository(JOBS, context_for(clients, name)).select([("type", "==", start.TYPE)]) for name in names}
    assert [len(found[name]) for name in names] == [0, 1, 1, 1]
    assert {record.value.parameters["site"] for name in names for record in found[name]} == {
        f"sc-domain:{name}.example" for name in names[1:]
    }
