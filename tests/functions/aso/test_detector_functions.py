"""The detectors through HTTP, and the view that explains a change of visits; then all of them on the whole cloud."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.aso.detectors.models import DetectionTask
from common.aso.performance.models import PerformanceRow
from common.aso.performance.record import record
from common.clients.registry import Clients
from common.context import Context
from common.warehouse.provision import provision_tenant
from tests.common.aso.detectors import scenes
from tests.common.aso.detectors.conftest import fact
from tests.common.aso.scan.conftest import context_for
from tests.functions.aso.conftest import Api
from tests.functions.aso.test_opportunity_functions import code
from tests.stack import Stack, TenantHandle, wait_for

TODAY = datetime.now(UTC).date()
POSTED = ("/v1/aso/decay", "/v1/aso/cannibalization", "/v1/aso/content-gap", "/v1/aso/link-gaps")


@pytest.fixture
def tenant(api: Api, process: Clients) -> Context:
    """The circumstances of the tenant of ``api``, whose data set is there."""
    context = context_for(process, api.tenant_id)
    provision_tenant(context, context.tenant_id)
    return context


def page_of(api: Api, **fields: Any) -> str:
    """Make a hub and return its id."""
    body = {"content_type": "hub", "keyword_primary": "scan", "title": "Scan", "url": "https://example.com/scan"}
    answer = api("POST", "/v1/aso/content", body | fields)
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["content_id"])


@pytest.mark.parametrize(
    ("query", "problem", "pointer"),
    [
        ("after_from=2026-02-01&after_to=2026-01-31", "invalid_range", "query:after_to"),
        ("after_from=2026-01-01&after_to=2026-01-06", "range_too_short", "query:after_from"),
        ("after_from=2025-01-01&after_to=2026-01-02", "range_too_long", "query:after_from"),
        ("after_from=2026-01-01&after_to=2026-01-28&before_to=2026-01-01", "windows_overlap", "query:before_to"),
        ("after_to=2026-01-28&before_from=2026-01-20", "invalid_range", "query:before_to"),
        ("after_to=tomorrow", "validation_failed", "query:after_to"),
        ("after_to=0001-01-05", "range_too_short", "query:after_from"),
        ("windows=2", "validation_failed", "query:windows"),
    ],
)
def test_windows_that_make_no_sense_are_told_as_such(query: str, problem: str, pointer: str, api: Api) -> None:
    answer = api("GET", f"/v1/aso/content/any/traffic-change?{query}")
    assert code(answer) == (422, problem)
    assert [error["pointer"] for error in answer.get_json()["errors"]] == [pointer]


def days(first: str, last: str, **fields: Any) -> Iterator[PerformanceRow]:
    """Return a row a day."""
    begin, end = (datetime.fromisoformat(day).date() for day in (first, last))
    for number in range((end - begin).days + 1):
        yield fact(begin + timedelta(days=number), **fields)


def test_a_change_of_visits_is_explained_in_parts_that_sum_to_it(api: Api, stranger: Api, tenant: Context) -> None:
    page = page_of(api)
    route = f"/v1/aso/content/{page}/traffic-change?after_from=2026-01-15&after_to=2026-01-28"
    empty = api("GET", route)
    assert empty.status_code == 200, empty.text
    body = empty.get_json()
    assert (body["verdict"], body["data_until"], body["change"], body["factors"]) == ("no_data", None, 0, None)
    other = "https://example.com/other"
    rows = itertools.chain(
        days("2026-01-01", "2026-01-14", query="scan", clicks=20, impressions=200, position=3.0),
        days("2026-01-15", "2026-01-26", query="scan", clicks=9, impressions=100, position=5.0),
        days("2026-01-01", "2026-01-14", query="rare", clicks=0, impressions=7, position=30.0),
        days("2026-01-20", "2026-01-20", query="new one", clicks=11, impressions=50, position=4.0),
        days("2026-01-01", "2026-01-26", query="else", page=other, clicks=50, impressions=500, position=2.0),
    )
    record(tenant, list(rows), "first")
    answer = api("GET", route)
    assert (answer.status_code, answer.headers["X-Cache"]) == (200, "MISS"), "new facts dropped the cached answer"
    body = answer.get_json()
    assert (body["verdict"], body["data_until"], body["gain_model"]) == ("judged", "2026-01-26", "prior")
    assert (body["before"]["first"], body["before"]["last"]) == ("2026-01-01", "2026-01-14")
    assert (body["before"]["observed_days"], body["after"]["observed_days"]) == (14, 12)
    assert (body["before"]["visits"], body["after"]["visits"], body["change"]) == (280, 119, -161)
    check_parts(body["parts"], -161)
    assert body["parts"]["missing_data"] < 0, "two days less were observed"
    assert body["parts"]["demand"] < 0
    assert body["parts"]["rank"] < 0
    told = {each["query"]: each for each in body["searches"]}
    assert set(told) == {"scan", "new one", None}
    assert told["new one"]["parts"] == {"missing_data": 0, "demand": 11, "rank": 0, "curve": 0, "residual": 0}
    for each in told.values():
        check_parts(each["parts"], each["visits_after"] - each["visits_before"])
    product = 1.0
    for factor in body["factors"].values():
        product *= factor
    assert product == pytest.approx(119 / 280, rel=1e-6)
    again = api("GET", route)
    assert (again.headers["X-Cache"], again.data) == ("HIT", answer.data)
    assert code(stranger("GET", route)) == (404, "content_piece_not_found")


def check_parts(parts: dict[str, float], change: int) -> None:
    assert sum(Decimal(str(value)) for value in parts.values()) == change


def test_a_piece_without_address_has_no_visits_to_explain(api: Api) -> None:
    page = page_of(api, url=None)
    assert code(api("GET", f"/v1/aso/content/{page}/traffic-change")) == (409, "no_url")


def test_who_may_only_read_may_not_scan_and_nobody_scans_without_competitors(
    api: Api, reader: Api, tenant: Context
) -> None:
    for route in POSTED:
        assert reader("POST", route).status_code == 403
    assert code(api("POST", "/v1/aso/content-gap")) == (422, "no_competitors")
    answers = {
        "no_data": [api("POST", "/v1/aso/decay"), api("POST", "/v1/aso/cannibalization")],
        "no_audits": [api("POST", "/v1/aso/link-gaps")],
    }
    for verdict, given in answers.items():
        for answer in given:
            assert answer.status_code == 200, answer.text
            body = answer.get_json()
            assert (body["verdict"], body.get("data_until"), body["found"], body["items"]) == (verdict, None, 0, [])


def test_a_task_names_a_detector() -> None:
    body = {"detector": "content_decay", "working_since": "2026-01-31T12:00:00.000000Z"}
    assert DetectionTask.model_validate(body).detector == "content_decay"


SCHEDULES = {
    "content_decay": "aso-decay-scan",
    "cannibalization": "aso-cannibalization-scan",
    "content_gap": "aso-content-gap-scan",
    "link_gap": "aso-link-gap-scan",
}
TASK = "aso-detection-tenant"


def follow_what_competitors_are_found_for(tenant: TenantHandle) -> None:
    """Follow a keyword, look for our own page and find competitors instead."""
    competitors = {"competitors": ["example.org", "https://www.example.net/"]}
    assert tenant.client.put("/v1/aso/competitors", competitors, headers={"If-Match": "*"}).status_code == 200
    rankings = [{"competitor": host, "position": 2} for host in ("www.example.org", "example.net")]
    keyword = {"keyword": "gap", "search_volume": 900, "difficulty_score": 20, "competitor_rankings": rankings}
    assert tenant.client.post("/v1/aso/keywords", {"rows": [keyword]}).json()["refused"] == 0
    check = {"keyword": "gap", "date": TODAY.isoformat(), "state": "not_found", "depth": 100}
    assert tenant.client.post("/v1/aso/ranks", {"rows": [check]}).json()["refused"] == 0


def audit_a_hub(tenant: TenantHandle) -> str:
    """Make a hub with a spoke that it does not link to, audit it, and return its id."""

    def made(name: str, **fields: Any) -> str:
        body = {"keyword_primary": name, "title": name, "url": f"https://example.com/{name}", **fields}
        piece = tenant.client.post("/v1/aso/content", body)
        assert piece.status_code == 201, piece.text
        content_id = str(piece.json()["content_id"])
        headers = {"If-Match": piece.headers["ETag"]}
        published = tenant.client.post(f"/v1/aso/content/{content_id}/publish", headers=headers)
        assert published.status_code == 200, published.text
        return content_id

    hub = made("hub", content_type="hub")
    made("spoke", content_type="spoke", hub_id=hub)
    pages = [
        {"url": "https://example.com/hub", "links": []},
        {"url": "https://example.com/spoke", "links": [{"href": "/hub"}]},
    ]
    audited = tenant.client.post(f"/v1/aso/hubs/{hub}/link-audit", {"pages": pages})
    assert audited.status_code < 300, audited.text
    return hub


def test_every_schedule_finds_what_is_to_be_found_once(cloud: Stack) -> None:
    """From what arrives to the list of opportunities: marks, schedules, tasks, detectors, change feed."""
    tenant = cloud.tenant()
    context = context_for(cloud.clients, tenant.tenant_id)
    parts = (scenes.steady(), scenes.falling_by_rank(), scenes.taking_turns("ab"))
    record(context, [row for rows in parts for row in rows], str(uuid.uuid4()))
    follow_what_competitors_are_found_for(tenant)
    hub = audit_a_hub(tenant)
    cloud.settled()
    for schedule in SCHEDULES.values():
        cloud.fire(schedule)

    def found() -> dict[str, dict[str, Any]]:
        items = tenant.client.get("/v1/aso/opportunities?limit=200").json()["items"]
        told = {item["opportunity_type"]: item for item in items if item["opportunity_type"] in SCHEDULES}
        return told if set(told) == set(SCHEDULES) else {}

    items = wait_for(found, 90, every=0.5, what="every detector found something")
    assert items["content_decay"]["subject_id"] == "https://example.com/falls"
    assert items["content_decay"]["expected_gain"] > items["content_decay"]["gain_low"] > 0
    assert (items["cannibalization"]["keyword"], items["content_gap"]["keyword"]) == ("shared search", "gap")
    assert items["link_gap"]["content_id"] == hub
    cloud.settled()
    for route in POSTED:
        again = tenant.client.post(route).json()
        assert (again["created"], again["kept"], again["closed"], again["remaining"]) == (0, 1, 0, 0), (route, again)
