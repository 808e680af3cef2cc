"""Search performance through HTTP: what is refused and how, and the way from Search Console to an answer."""

from __future__ import annotations

import functools
import uuid
from datetime import timedelta

import pytest

from common.aso.performance.models import PerformanceRow
from common.aso.performance.record import record
from common.aso.search_console_api.api import today
from tests.common.aso.search_console_api.server import SearchConsoleServer, Shown
from tests.common.warehouse.conftest import context_for
from tests.end_to_end.support import logged
from tests.functions.aso.conftest import Api
from tests.stack import Stack

ROUTE = "/v1/aso/performance"


@pytest.mark.parametrize(
    ("query", "code", "pointer"),
    [
        ("from=2026-02-01&to=2026-01-31", "invalid_range", "query:to"),
        ("from=2025-01-01&to=2026-05-04", "range_too_long", "query:from"),
        ("from=2026-02-30", "validation_error", "query:from"),
        ("to=yesterday", "validation_error", "query:to"),
        ("by=hour", "validation_error", "query:by"),
        ("by=query&by=page", "validation_error", "query:by"),
        ("device=fridge", "validation_error", "query:device"),
        ("country=germany", "validation_error", "query:country"),
        ("search_type=maps", "validation_error", "query:search_type"),
        ("order=luck", "validation_error", "query:order"),
        ("limit=1001", "validation_error", "query:limit"),
        ("limit=0", "validation_error", "query:limit"),
        ("query=", "validation_error", "query:query"),
        ("unheard=1", "validation_error", "query:unheard"),
    ],
)
def test_a_wrong_question_is_told_as_such(api: Api, query: str, code: str, pointer: str) -> None:
    answer = api("GET", f"{ROUTE}?{query}")
    assert answer.status_code in {400, 422}
    problem = answer.json
    assert problem is not None
    assert pointer in {error["pointer"] for error in problem["errors"]}
    if code != "validation_error":
        assert problem["code"] == code


def test_from_search_console_to_an_answer(cloud: Stack, search_console_server: SearchConsoleServer) -> None:
    """The whole way: settings, a job, its task, the warehouse, and an answer that is cached until the next rows."""
    tenant, site = cloud.tenant(), f"sc-domain:{uuid.uuid4().hex[:10]}.example"
    early, late = (str(today() - timedelta(days=days)) for days in (40, 3))
    search_console_server.properties[site] = [
        Shown(early, "shoes", "https://example.com/shoes", 3, 100, 8.0),
        Shown(late, "shoes", "https://example.com/shoes", 5, 100, 6.0),
        Shown(late, None, "https://example.com/rare", 1, 2, 1.0),
    ]
    refused = tenant.client.post("/v1/aso/search-console/sync")
    assert (refused.status_code, refused.json()["code"]) == (422, "search_console_not_set")
    settings = tenant.client.put("/v1/aso/settings", {"search_console_site": site}, headers={"If-Match": "*"})
    assert settings.status_code == 200, settings.text
    accepted = tenant.client.post("/v1/aso/search-console/sync")
    assert accepted.status_code == 202
    place = accepted.headers["Location"]
    cloud.wait_for(lambda: tenant.client.get(place).json()["status"] in {"succeeded", "failed"}, what="the job ended")
    job = tenant.client.get(place).json()
    assert job["status"] == "succeeded", job
    assert job["result"] | {"calls": 7, "days": 2, "rows": 7, "stopped": None, "newest_day": late} == job["result"]
    by_query = tenant.client.get(f"{ROUTE}?by=query&from={early}&to={late}")
    assert by_query.headers["X-Cache"] == "MISS"
    [item] = by_query.json()["items"]
    assert (item["key"], item["clicks"], item["impressions"], item["position"]) == ("shoes", 8, 200, 7.0)
    assert tenant.client.get(f"{ROUTE}?by=query&from={early}&to={late}").headers["X-Cache"] == "HIT"
    by_day = tenant.client.get(f"{ROUTE}?by=day&from={early}&to={late}").json()
    assert [(each["key"], each["clicks"]) for each in by_day["items"]] == [(early, 3), (late, 6)]
    assert by_day["newest_day"] == late

    search_console_server.properties[site].append(Shown(late, "boots", "https://example.com/boots", 2, 10, 2.0))
    cloud.fire("aso-search-console-sync")
    cloud.wait_for(
        lambda: len(tenant.client.get(f"{ROUTE}?by=query&from={early}&to={late}").json()["items"]) == 2,
        what="aso-search-console-sync-run has stored the day again",
    )


def test_visits_of_a_page_become_the_traffic_of_its_content(cloud: Stack) -> None:
    """New figures make the schedule start a task for the tenant they are about."""
    tenant = cloud.tenant()
    address = "https://example.com/shoes"
    body = {"content_type": "hub", "keyword_primary": "shoes", "title": "Shoes", "url": address}
    made = tenant.client.post("/v1/aso/content", body)
    assert made.status_code == 201, made.text
    place = f"/v1/aso/content/{made.json()['content_id']}"
    published = tenant.client.post(f"{place}/publish", {}, headers={"If-Match": made.headers["ETag"]})
    assert published.status_code == 200, published.text
    cloud.settled()
    last = today() - timedelta(days=3)
    row = {"date": str(last), "from_date": str(last - timedelta(days=29)), "page": f"{address}/#top", "clicks": 42}
    context = context_for(cloud.clients, tenant.tenant_id)
    record(context, [PerformanceRow.model_validate({**row, "impressions": 900, "source": "test"})], "import")
    cloud.fire("aso-content-traffic")
    cloud.wait_for(lambda: tenant.client.get(place).json()["monthly_traffic"] == 42, what="the traffic is there")
    done = functools.partial(
        logged, cloud, function="aso-content-traffic-tenant", tenant_id=tenant.tenant_id, status=204
    )
    cloud.wait_for(done, what="the task has ended")
