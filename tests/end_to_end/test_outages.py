"""A store goes away in the middle and comes back: what must work works, and nothing is lost or stale afterwards."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import requests

from common.clients.redis import redis_client
from common.context import Context
from tests.functions.platform.test_warehouse_path import agree
from tests.stack import Stack, TenantHandle, wait_for

BREAKER = "breaker:bigquery"


@contextlib.contextmanager
def stopped(cloud: Stack, name: str) -> Iterator[None]:
    """Stop a service until the block ends."""
    service = cloud.local.services[name]
    service.stop()
    try:
        yield
    finally:
        service.start()


def volume(answer: requests.Response) -> int:
    """Return the volume of the one keyword listed."""
    assert answer.status_code == 200, answer.text
    [item] = answer.json()["items"]
    return int(item["search_volume"])


def write(tenant: TenantHandle, search_volume: int) -> None:
    """Set the volume of the one keyword."""
    rows = [{"keyword": "running shoes", "search_volume": search_volume}]
    answer = tenant.client.post("/v1/aso/keywords", {"rows": rows})
    assert (answer.status_code, answer.json()["refused"]) == (207, 0), answer.text


def every_operation(tenant: TenantHandle) -> None:
    """Use each kind of operation once."""
    client = tenant.client
    body = {"content_type": "hub", "keyword_primary": "shoes", "title": "Shoes"}
    key = {"Idempotency-Key": f"outage-{time.time_ns()}"}
    made, again = (client.post("/v1/aso/content", body, headers=key) for _ in range(2))
    assert (made.status_code, made.content) == (201, again.content), made.text
    assert made.headers["RateLimit"].startswith('"standard";r=')
    path = f"/v1/aso/content/{made.json()['content_id']}"
    changed = client.patch(path, {"word_count": 7}, headers={"If-Match": made.headers["ETag"]})
    assert changed.status_code == 200, changed.text
    assert client.get(path).json()["word_count"] == 7
    for route in ("/v1/aso/content", "/v1/aso/keywords", "/v1/aso/opportunities", "/v1/aso/stats"):
        answer = client.get(route)
        assert (answer.status_code, answer.headers["X-Cache"]) == (200, "BYPASS"), answer.text
    assert client.get(f"/v1/aso/hubs/{made.json()['content_id']}/tree").status_code == 200
    assert client.post("/v1/aso/opportunities/scan").status_code == 200
    assert client.delete(path).status_code in {200, 204}


def test_redis_goes_away_and_comes_back(cloud: Stack, tenant: TenantHandle, context: Context) -> None:
    def state() -> str:
        return str(tenant.client.get("/v1/aso/keywords").headers["X-Cache"])

    write(tenant, 100)
    cloud.settled()
    assert volume(tenant.client.get("/v1/aso/keywords")) == 100
    assert state() == "HIT", "what Redis will still hold when it is back"
    with stopped(cloud, "redis"):
        write(tenant, 200)
        answer = tenant.client.get("/v1/aso/keywords")
        assert (volume(answer), answer.headers["X-Cache"]) == (200, "BYPASS")
        wait_for(lambda: agree(context), 60, every=0.5, what="the change reaches the warehouse without Redis")
        every_operation(tenant)
        status = cloud.get("/v1/platform/status").json()
        assert (status["status"], status["checks"]["redis"]["status"]) == ("degraded", "unhealthy")
    cloud.settled()
    wait_for(lambda: state() == "HIT", 30, what="the cache is used again")
    assert volume(tenant.client.get("/v1/aso/keywords")) == 200
    write(tenant, 300)
    wait_for(lambda: volume(tenant.client.get("/v1/aso/keywords")) == 300, what="invalidation works again")


def breaker(cloud: Stack) -> dict[str, object]:
    """Return the state of BigQuery's breaker as all instances share it."""
    redis = cloud.clients.get(redis_client)
    assert redis is not None
    stored = redis.get(BREAKER)
    assert stored is None or isinstance(stored, bytes)
    return json.loads(stored) if stored else {}


def cooled_down(cloud: Stack) -> None:
    """Let the breaker's minute be over."""
    redis = cloud.clients.get(redis_client)
    assert redis is not None
    state = breaker(cloud)
    opened = state.get("opened_at")
    if isinstance(opened, float | int):
        redis.set(BREAKER, json.dumps({**state, "opened_at": opened - 61, "probe_until": 0.0}).encode(), ex=60)


def test_bigquery_goes_away_and_catches_up(cloud: Stack, tenant: TenantHandle, context: Context) -> None:
    """A hundred writes are acknowledged meanwhile; reads from Firestore go on, figures say when to come back."""
    client = tenant.client
    write(tenant, 1)
    doomed = client.post("/v1/aso/content", {"content_type": "hub", "keyword_primary": "shoes", "title": "Old"}).json()
    wait_for(lambda: agree(context), 60, every=0.5)
    assert client.get("/v1/aso/stats").json()["total_keywords"]["value"] == 1

    def one(number: int) -> int:
        rows = [{"keyword": f"boots {number}", "search_volume": number}]
        return client.post("/v1/aso/keywords", {"rows": rows}).status_code

    with stopped(cloud, "bigquery"):
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(one, range(100))) == {207}
        write(tenant, 2)
        assert client.delete(f"/v1/aso/content/{doomed['content_id']}").status_code == 200
        wait_for(lambda: breaker(cloud).get("opened_at"), 60, what="the breaker opens")
        assert len(client.get("/v1/aso/keywords?limit=200").json()["items"]) == 101
        body = {"content_type": "hub", "keyword_primary": "shoes", "title": "Shoes"}
        made = client.post("/v1/aso/content", body)
        assert client.get(f"/v1/aso/content/{made.json()['content_id']}").status_code == 200
        figures = client.get("/v1/aso/stats?days_back=10")
        assert (figures.status_code, figures.json()["code"]) == (503, "dependency_unavailable"), figures.text
        assert 1 <= int(figures.headers["Retry-After"]) <= 60
        assert client.post("/v1/aso/opportunities/scan").status_code == 503
        assert cloud.get("/v1/platform/status").json()["checks"]["bigquery"]["status"] == "unhealthy"
    refused = client.get("/v1/aso/stats?days_back=10")
    assert refused.status_code == 503, "left alone until the minute is over, though it is back"
    cooled_down(cloud)
    wait_for(lambda: agree(context), 120, every=1, what="caught up")
    assert breaker(cloud)["opened_at"] is None
    cloud.settled()
    assert client.get("/v1/aso/stats").json()["total_keywords"]["value"] == 101
    assert client.get("/v1/aso/stats?days_back=10").status_code == 200
