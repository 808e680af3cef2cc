"""Deliveries come twice, late and in any order; what stores, caches and jobs hold in the end is the same."""

from __future__ import annotations

import random
from typing import Any

import pytest

from common.context import Context
from tests.end_to_end.support import INVALIDATE, RELAY, SYNC, captured, changes, job_ended, posted
from tests.functions.platform.test_warehouse_path import agree, in_bigquery
from tests.stack import Caller, Stack, TenantHandle, wait_for

DISPATCH = "platform-job-dispatch"
IMPORT = "aso-keyword-import-run"


def life(client: Caller) -> dict[str, Any]:
    """Lead one piece of content through a life of eight versions; return the last one."""
    body = {"content_type": "hub", "keyword_primary": "shoes", "title": "Shoes 0", "url": "https://example.com/shoes"}
    made = client.post("/v1/aso/content", body)
    assert made.status_code == 201, made.text
    path = f"/v1/aso/content/{made.json()['content_id']}"
    answer = made
    for number in range(1, 6):
        answer = client.patch(path, {"title": f"Shoes {number}"}, headers={"If-Match": answer.headers["ETag"]})
        assert answer.status_code == 200, answer.text
    answer = client.post(f"{path}/publish", {}, headers={"If-Match": answer.headers["ETag"]})
    assert answer.status_code == 200, answer.text
    answer = client.post(f"{path}/archive", {}, headers={"If-Match": answer.headers["ETag"]})
    assert answer.status_code == 200, answer.text
    last: dict[str, Any] = answer.json()
    return last


def short_life(client: Caller) -> str:
    """Create a keyword, change it, delete it; return its id."""
    for volume in (100, 200, 300):
        answer = client.post("/v1/aso/keywords", {"rows": [{"keyword": "running shoes", "search_volume": volume}]})
        assert answer.status_code == 207, answer.text
    keyword_id = str(answer.json()["rows"][0]["value"]["keyword_id"])
    assert client.delete(f"/v1/aso/keywords/{keyword_id}").status_code in {200, 204}
    return keyword_id


@pytest.mark.parametrize("order", ["reversed", "shuffled"])
def test_every_delivery_thrice_and_out_of_order(
    cloud: Stack, tenant: TenantHandle, context: Context, order: Any
) -> None:
    dispatcher = cloud.local.dispatcher
    cloud.settled()
    functions = (RELAY, SYNC, INVALIDATE)
    for function in functions:
        dispatcher.duplicate(function, 3)
        dispatcher.pause(function)
    try:
        last, deleted = life(tenant.client), short_life(tenant.client)
        # Eight versions of the one and four of the other; each relayed three times, each of those delivered thrice.
        for function, number in zip(functions, (36, 108, 108), strict=True):
            wait_for(lambda f=function, n=number: dispatcher.status()[f]["waiting"] == n, what=function)  # type: ignore[misc]
            dispatcher.resume(function, order)
    finally:
        for function in functions:
            dispatcher.duplicate(function, 1)
            dispatcher.resume(function)
    cloud.settled()
    assert agree(context)
    [(key, row)] = in_bigquery(context).items()
    assert (key, row["status"], row["title"]) == (("content_pieces", last["content_id"]), "archived", "Shoes 5")
    appended = changes(context, "content_pieces", last["content_id"])
    assert len(set(appended)) == 8
    assert [operation for operation, _ in set(changes(context, "keywords", deleted)) if operation == "deleted"]
    cloud.fire("platform-warehouse-merge")
    wait_for(lambda: agree(context, ""), 60, every=0.5, what="merged")


def test_what_was_processed_long_ago_comes_again(cloud: Stack, tenant: TenantHandle, context: Context) -> None:
    """Every message to both consumers again, by hand, in random order, after the tables were merged."""

    def lives() -> None:
        life(tenant.client)
        short_life(tenant.client)

    deliveries = captured(cloud, SYNC, lives, 12)
    for delivery in deliveries:
        cloud.local.dispatcher.submit(delivery)
    cloud.settled()
    cloud.fire("platform-warehouse-merge")
    wait_for(lambda: agree(context, ""), 60, every=0.5, what="merged")
    before = in_bigquery(context)
    listed = tenant.client.get("/v1/aso/content").json()
    again = deliveries * 3
    random.Random(1).shuffle(again)
    assert {posted(delivery) for delivery in again} == {204}
    assert in_bigquery(context) == before
    assert agree(context)
    cloud.fire("platform-warehouse-merge")
    cloud.settled()
    assert agree(context, "")
    assert tenant.client.get("/v1/aso/content").json() == listed


def test_a_late_invalidation_costs_a_computation_and_no_more(cloud: Stack, tenant: TenantHandle) -> None:
    def state() -> str:
        return str(tenant.client.get("/v1/aso/content").headers["X-Cache"])

    deliveries = captured(cloud, INVALIDATE, lambda: life(tenant.client), 8)
    for delivery in deliveries:
        cloud.local.dispatcher.submit(delivery)
    cloud.settled()
    assert (state(), state()) == ("MISS", "HIT")
    assert {posted(delivery) for delivery in reversed(deliveries)} == {204}
    assert (state(), state()) == ("MISS", "HIT")


def test_a_job_is_dispatched_often_and_done_once(cloud: Stack, tenant: TenantHandle) -> None:
    dispatcher = cloud.local.dispatcher
    for function in (RELAY, DISPATCH, IMPORT):
        dispatcher.duplicate(function, 3)
    try:
        started = tenant.client.request(
            "POST",
            "/v1/aso/keywords/import",
            data=b"keyword,search_volume\nshoes,5\nboots,7\n",
            headers={"Content-Type": "text/csv"},
        )
        assert started.status_code == 202, started.text
        job_id = started.json()["job_id"]
        job = wait_for(lambda: job_ended(tenant.client, job_id), 60, what="the job ends")
        cloud.settled()
    finally:
        for function in (RELAY, DISPATCH, IMPORT):
            dispatcher.duplicate(function, 1)
    assert (job["status"], job["progress"]["done"]) == ("succeeded", 2)
    assert len([each for each in dispatcher.recent if str(each["id"]).endswith(f"/tasks/{job_id}")]) >= 3
    assert tenant.client.get(f"/v1/jobs/{job_id}").json() == job
    assert len(tenant.client.get("/v1/aso/keywords").json()["items"]) == 2
