"""The operations on opportunities, the scan and the statistics through HTTP, and the scan's schedule and task."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from common.aso import scan
from common.aso.entities import OPPORTUNITIES, SCAN
from common.aso.models import Opportunity
from common.aso.opportunity_models import ScanTask
from common.clients.registry import Clients
from common.context import PLATFORM_TENANT, Context, Principal
from common.model import Model
from common.store import Repository, transact
from common.warehouse import due, marks
from common.warehouse.provision import provision_tenant
from tests.common.aso.scan.conftest import Warehouse, context_for, keyword
from tests.common.aso.scan.test_rules import opportunity
from tests.common.aso.scan.test_scan import store
from tests.functions.aso.conftest import Api

NOW = datetime.now(UTC)


@pytest.fixture
def tenant(api: Api, process: Clients) -> Context:
    """The circumstances of the tenant of ``api``."""
    return context_for(process, api.tenant_id)


@pytest.fixture
def warehouse(tenant: Context) -> Warehouse:
    """The data set of the tenant of ``api``."""
    provision_tenant(tenant, tenant.tenant_id)
    return Warehouse(tenant)


def stored(tenant: Context, **fields: Any) -> Opportunity:
    """Store an opportunity and return it."""
    name = fields.pop("keyword", "scan")
    found = opportunity(keyword(tenant, name), **fields)
    transact(tenant, lambda work: work.create(OPPORTUNITIES, found))
    return found


def patch(api: Api, found: Opportunity, body: dict[str, Any], etag: str | None = None) -> TestResponse:
    route = f"/v1/aso/opportunities/{found.opportunity_id}"
    return api("PATCH", route, body, {"If-Match": etag or api("GET", route).headers["ETag"]})


def code(answer: TestResponse) -> tuple[int, str]:
    assert answer.content_type == "application/problem+json", answer.text
    return answer.status_code, answer.get_json()["code"]


def names(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["keyword"] for item in answer.get_json()["items"]]


def test_an_opportunity_is_read_with_its_version(api: Api, tenant: Context, stranger: Api) -> None:
    found = stored(tenant)
    route = f"/v1/aso/opportunities/{found.opportunity_id}"
    answer = api("GET", route)
    assert answer.status_code == 200
    assert answer.headers["ETag"]
    assert answer.get_json()["keyword"] == "scan"
    assert code(stranger("GET", route)) == (404, "opportunity_not_found")
    assert code(stranger("PATCH", route, {"status": "dismissed"}, {"If-Match": "*"})) == (404, "opportunity_not_found")


def test_the_list_is_sorted_filtered_and_paged(api: Api, tenant: Context, stranger: Api) -> None:
    old = NOW - timedelta(days=90)
    stored(tenant, keyword="small", expected_gain=1.0)
    stored(tenant, keyword="large", expected_gain=90.0, detected_at=old)
    stored(tenant, keyword="middle", expected_gain=50.0, opportunity_type="rank_improvement")
    stored(tenant, keyword="closed", expected_gain=70.0, status="closed", holds=False)
    route = "/v1/aso/opportunities"
    assert names(api("GET", route)) == ["large", "closed", "middle", "small"]
    assert names(api("GET", f"{route}?status=new")) == ["large", "middle", "small"]
    assert names(api("GET", f"{route}?opportunity_type=rank_improvement")) == ["middle"]
    assert names(api("GET", f"{route}?status=new&opportunity_type=low_hanging_fruit&days=30")) == ["small"]
    assert names(api("GET", f"{route}?days=30")) == ["closed", "middle", "small"]
    assert names(api("GET", f"{route}?sort=-detected_at"))[-1] == "large"
    first = api("GET", f"{route}?limit=3")
    assert names(first) == ["large", "closed", "middle"]
    assert names(api("GET", f"{route}?limit=3&cursor={first.get_json()['next_cursor']}")) == ["small"]
    assert (first.headers["X-Cache"], api("GET", f"{route}?limit=3").headers["X-Cache"]) == ("MISS", "HIT")
    assert names(stranger("GET", route)) == []
    assert code(api("GET", f"{route}?status=open")) == (422, "validation_failed")
    assert code(api("GET", f"{route}?sort=keyword")) == (422, "validation_failed")


def test_people_move_an_opportunity_along_its_states(api: Api, tenant: Context) -> None:
    found = stored(tenant)
    for status in ("in_progress", "completed"):
        answer = patch(api, found, {"status": status})
        assert (answer.status_code, answer.get_json()["status"]) == (200, status)
    assert code(patch(api, found, {"status": "new"})) == (409, "invalid_transition")
    assert patch(api, found, {"status": "completed"}).status_code == 200


def test_a_dismissed_one_can_be_taken_back_while_it_holds(api: Api, tenant: Context) -> None:
    found = stored(tenant)
    answer = patch(api, found, {"status": "dismissed", "dismissed_reason": "Not our market."})
    assert answer.get_json()["dismissed_reason"] == "Not our market."
    answer = patch(api, found, {"status": "new"})
    assert (answer.get_json()["status"], answer.get_json()["dismissed_reason"]) == ("new", None)
    gone = stored(tenant, keyword="gone", status="dismissed", holds=False)
    assert code(patch(api, gone, {"status": "new"})) == (409, "invalid_transition")


@pytest.mark.parametrize(
    ("before", "after"),
    [("new", "completed"), ("new", "closed"), ("in_progress", "new"), ("dismissed", "in_progress"), ("closed", "new")],
)
def test_no_other_way_leads_anywhere(before: str, after: str, api: Api, tenant: Context) -> None:
    answer = patch(api, stored(tenant, status=before, holds=before != "closed"), {"status": after})
    assert code(answer) == (409, "invalid_transition")
    assert answer.get_json()["errors"][0]["pointer"] == "/status"


def test_the_piece_that_takes_it_up_must_exist(api: Api, tenant: Context, stranger: Api) -> None:
    found = stored(tenant)
    piece = {"content_type": "hub", "keyword_primary": "scan", "title": "Scan"}
    ours, theirs = (each("POST", "/v1/aso/content", piece).get_json()["content_id"] for each in (api, stranger))
    assert patch(api, found, {"content_id": ours}).get_json()["content_id"] == ours
    for missing in (theirs, "nobody"):
        answer = patch(api, found, {"content_id": missing})
        assert code(answer) == (422, "content_not_found")
        assert answer.get_json()["errors"][0]["pointer"] == "/content_id"
    assert patch(api, found, {"content_id": None}).get_json()["content_id"] is None
    assert code(patch(api, found, {"dismissed_reason": "x"})) == (422, "not_dismissed")
    assert code(patch(api, found, {"holds": False})) == (422, "validation_failed")


def test_a_change_needs_the_version_that_was_read(api: Api, tenant: Context) -> None:
    found = stored(tenant)
    route = f"/v1/aso/opportunities/{found.opportunity_id}"
    stale = api("GET", route).headers["ETag"]
    assert patch(api, found, {}).headers["ETag"] == stale, "nothing changed"
    assert patch(api, found, {"status": "dismissed"}, stale).status_code == 200
    assert code(patch(api, found, {"status": "new"}, stale)) == (412, "stale_etag")
    assert code(api("PATCH", route, {"status": "new"})) == (428, "if_match_required")


def test_scan_now_answers_with_the_ranked_list(api: Api, reader: Api, tenant: Context, warehouse: Warehouse) -> None:
    values = [
        keyword(tenant, name, search_volume=volume, difficulty_score=20.0, current_ranking=14, last_checked=NOW)
        for name, volume in (("few", 200), ("many", 9000))
    ]
    store(tenant, *values)
    warehouse.keywords(*values)
    answer = api("POST", "/v1/aso/opportunities/scan")
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    assert (body["found"], body["created"], body["remaining"]) == (2, 2, 0)
    assert [item["keyword"] for item in body["items"]] == ["many", "few"]
    again = api("POST", "/v1/aso/opportunities/scan").get_json()
    assert (again["created"], again["unchanged"]) == (0, 2)
    assert names(api("GET", "/v1/aso/opportunities")) == ["many", "few"]
    assert code(reader("POST", "/v1/aso/opportunities/scan"))[0] == 403


def test_scanning_before_the_data_set_exists_asks_to_wait(api: Api) -> None:
    answer = api("POST", "/v1/aso/opportunities/scan")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_stats_have_the_figures_of_the_document_each_with_its_age(
    api: Api, stranger: Api, tenant: Context, warehouse: Warehouse
) -> None:
    ranks = (2, 8, 14, None)
    warehouse.keywords(
        *(keyword(tenant, f"k{rank}", current_ranking=rank, last_checked=NOW) for rank in ranks),
        keyword(tenant, "never checked"),
        keyword(tenant, "long ago", current_ranking=50, last_checked=NOW - timedelta(days=200)),
    )
    warehouse.opportunities(
        opportunity(keyword(tenant, "k14"), expected_gain=12.5),
        opportunity(keyword(tenant, "k8"), opportunity_type="rank_improvement", status="in_progress"),
        opportunity(keyword(tenant, "k2"), status="closed", holds=False),
    )
    answer = api("GET", "/v1/aso/stats")
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    figures = {name: part["value"] for name, part in body.items() if isinstance(part, dict) and "value" in part}
    assert figures == {
        "total_content": 0,
        "total_keywords": 5,
        "total_opportunities": 3,
        "avg_ranking": 8.0,
        "expected_gain": 22.5,
    }
    assert {name: part["value"] for name, part in body["ranked_keywords"].items()} == {
        "ranked_1_to_3": 1,
        "ranked_4_to_10": 1,
        "ranked_11_to_30": 1,
    }
    assert {name: part["value"] for name, part in body["open_opportunities"].items()} == {
        "low_hanging_fruit": 1,
        "rank_improvement": 1,
        "content_gap": 0,
    }
    assert body["total_keywords"]["as_of"] == body["cached_at"]
    assert body["newest_changes"]["content"] is None
    assert body["newest_changes"]["keywords"] is not None
    again = api("GET", "/v1/aso/stats")
    assert (answer.headers["X-Cache"], again.headers["X-Cache"], again.data) == ("MISS", "HIT", answer.data)
    assert api("GET", "/v1/aso/stats?days_back=365").get_json()["total_keywords"]["value"] == 6
    assert code(api("GET", "/v1/aso/stats?days_back=0")) == (422, "validation_failed")
    assert stranger("GET", "/v1/aso/stats").status_code == 503, "their data set is not there yet"


def test_every_changed_tenant_gets_one_task_which_ends_its_claim(
    process: Clients, tenant: Context, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``aso-opportunity-scan`` and ``aso-opportunity-scan-tenant`` do, with the queue between them cut out."""
    operator = Context(
        function="aso-opportunity-scan",
        tenant_id=PLATFORM_TENANT,
        principal=Principal(kind="service", id="scheduler", role="service"),
        clients=process,
    )
    made: list[tuple[str, str, Model]] = []

    def enqueue(context: Context, function: str, body: Model, **_: Any) -> str:
        made.append((context.tenant_id, function, body))
        return "task"

    monkeypatch.setattr(due, "enqueue", enqueue)
    assert scan.enqueue_changed(operator) == 0
    marks.set_marks(operator, tenant.tenant_id, [(SCAN, marks.EVERYTHING)])
    assert scan.enqueue_changed(operator) == 1
    assert scan.enqueue_changed(operator) == 0, "somebody is working on it"
    [(tenant_id, function, body)] = made
    assert (tenant_id, function) == (tenant.tenant_id, "aso-opportunity-scan-tenant")
    assert isinstance(body, ScanTask)
    value = keyword(tenant, "a", search_volume=900, difficulty_score=9.0, current_ranking=14, last_checked=NOW)
    store(tenant, value)
    warehouse.keywords(value)
    marks.set_marks(operator, tenant.tenant_id, [(SCAN, marks.EVERYTHING)])
    task = ScanTask.model_validate_json(body.model_dump_json())
    assert scan.scan_claimed(tenant, task).created == 1
    assert scan.enqueue_changed(operator) == 1, "what arrived during the scan is scanned again"
    assert scan.scan_claimed(tenant, ScanTask.model_validate(made[-1][2].model_dump())).created == 0
    assert marks.due(operator, SCAN) == []
    assert Repository(OPPORTUNITIES, tenant).count() == 1
