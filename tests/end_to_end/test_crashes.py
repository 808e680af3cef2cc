"""A crash between any two steps of the write path: afterwards there is one entity, one current row and one event."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from common.clients.firestore import firestore_client
from common.clients.pubsub import publisher_client
from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.context import Context
from common.events import event_id_of, sequence_of
from common.technical import MARKS
from common.warehouse.marks import due
from tests.common.faults import Death, dies, faulty
from tests.end_to_end.support import (
    RELAY,
    SYNC,
    captured,
    changes,
    crash,
    job_ended,
    paused,
    posted_to,
    served,
)
from tests.functions.platform.test_warehouse_path import agree, in_bigquery
from tests.stack import Stack, TenantHandle, wait_for

BODY = {"content_type": "hub", "keyword_primary": "running shoes", "title": "Running shoes"}


def create(tenant: TenantHandle, **options: Any) -> dict[str, Any]:
    """Create a piece of content through HTTP."""
    answer = tenant.client.post("/v1/aso/content", BODY, **options)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def exactly_one(cloud: Stack, tenant: TenantHandle, context: Context, content_id: str) -> bool:
    """Tell whether there is one document, one current row, and one event, whose id follows from the document."""
    [item] = tenant.client.get("/v1/aso/content").json()["items"]
    assert item["content_id"] == content_id
    stored = cloud.clients.get(firestore_client).document(f"content_pieces/{content_id}").get()
    event = event_id_of(stored.reference.path, sequence_of(stored.update_time, "created"))
    assert set(changes(context, "content_pieces", content_id)) == {("created", str(event))}
    assert list(in_bigquery(context)) == [("content_pieces", content_id)]
    return agree(context)


def lease_gone(cloud: Stack, tenant: TenantHandle) -> None:
    """Let the lease of a dead process run out."""
    redis = cloud.clients.get(redis_client)
    assert redis is not None
    for name in redis.scan_iter(f"idempotency:{tenant.tenant_id}:*"):
        redis.delete(name)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_around_the_commit(cloud: Stack, tenant: TenantHandle, context: Context, process: Clients, moment: str) -> None:
    """The caller got no answer and sends the request again, to another process, under the same key."""
    others, transport = faulty(process)
    process.replace(firestore_client, others.get(firestore_client))
    setattr(transport, moment, dies)
    headers = {**tenant.client.headers, "Idempotency-Key": str(uuid.uuid4()), "Content-Type": "application/json"}
    content = json.dumps(BODY)
    with pytest.raises(Death):
        served("aso-content-create").post("/v1/aso/content", data=content, headers=headers)
    assert transport.commits == int(moment == "after")
    lease_gone(cloud, tenant)
    first = tenant.client.request("POST", "/v1/aso/content", data=content, headers=headers)
    again = tenant.client.request("POST", "/v1/aso/content", data=content, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201), first.text
    assert (first.content, first.headers["ETag"]) == (again.content, again.headers["ETag"])
    cloud.settled()
    wait_for(lambda: exactly_one(cloud, tenant, context, first.json()["content_id"]), what="one of everything")


def test_after_the_commit_before_the_relay_began(cloud: Stack, tenant: TenantHandle, context: Context) -> None:
    with paused(cloud, RELAY):
        made = create(tenant)
        wait_for(lambda: cloud.local.dispatcher.status()[RELAY]["waiting"])
        crash(cloud)
        assert in_bigquery(context) == {}
    wait_for(lambda: exactly_one(cloud, tenant, context, made["content_id"]), what="one of everything")


class DyingPublisher:
    """A publisher whose process dies before it sends, or once Pub/Sub has the message."""

    def __init__(self, real: Any, *, sends: bool) -> None:
        self._real = real
        self._sends = sends

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def publish(self, *arguments: Any, **options: Any) -> Any:
        """Publish, and die."""
        if self._sends:
            self._real.publish(*arguments, **options).result(10)
        raise Death


@pytest.mark.parametrize("sends", [False, True], ids=["before it published", "after it published"])
def test_in_the_relay(cloud: Stack, tenant: TenantHandle, context: Context, process: Clients, *, sends: bool) -> None:
    made: list[dict[str, Any]] = []
    [delivery] = captured(cloud, RELAY, lambda: made.append(create(tenant)))
    process.replace(publisher_client, DyingPublisher(process.get(publisher_client), sends=sends))
    with pytest.raises(Death):
        posted_to(served(RELAY), delivery)
    if sends:
        wait_for(lambda: in_bigquery(context), what="the event of the relay that died arrives")
    cloud.local.dispatcher.submit(delivery)
    cloud.settled()
    wait_for(lambda: exactly_one(cloud, tenant, context, made[0]["content_id"]), what="one of everything")


class DyingRedis:
    """A Redis client that does everything but invalidate."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        if name == "pipeline":
            raise Death
        return getattr(self._real, name)


class DyingFirestore:
    """A Firestore client that does everything but find a mark."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def document(self, *path: str) -> Any:
        if path[0].startswith(MARKS.path):
            raise Death
        return self._real.document(*path)


def before_marking(process: Clients) -> None:
    process.replace(firestore_client, DyingFirestore(process.get(firestore_client)))


def before_invalidating(process: Clients) -> None:
    process.replace(redis_client, DyingRedis(process.get(redis_client)))  # type: ignore[arg-type]


def before_answering(_process: Clients) -> None:
    pass


@pytest.mark.parametrize("dying", [before_marking, before_invalidating, before_answering])
def test_in_the_warehouse_sync(
    cloud: Stack, tenant: TenantHandle, context: Context, process: Clients, dying: Callable[[Clients], None]
) -> None:
    def total() -> int:
        return int(tenant.client.get("/v1/aso/stats").json()["total_content"]["value"])

    assert (total(), total()) == (0, 0)
    made: list[dict[str, Any]] = []
    [delivery] = captured(cloud, SYNC, lambda: made.append(create(tenant)))
    dying(process)
    app = served(SYNC)
    if dying is before_answering:
        assert posted_to(app, delivery) == 204
    else:
        with pytest.raises(Death):
            posted_to(app, delivery)
        assert total() == 0, "the cached figure was not dropped: the process died before"
    marked = tenant.tenant_id in {mark.tenant_id for mark in due(context, "merge")}
    assert marked == (dying is not before_marking)
    assert len(in_bigquery(context)) == 1, "the row was appended before the process died"
    cloud.local.dispatcher.submit(delivery)
    cloud.settled()
    assert exactly_one(cloud, tenant, context, made[0]["content_id"])
    assert total() == 1
    assert tenant.tenant_id in {mark.tenant_id for mark in due(context, "merge")}


def persistently(tenant: TenantHandle, number: int) -> str:
    """Create a piece as a client does that gets no answer: the same request again until there is one."""
    body = {**BODY, "title": f"Shoes {number}", "url": f"https://example.com/{number}"}
    headers = {"Idempotency-Key": str(uuid.uuid4())}

    def attempt() -> str:
        try:
            answer = tenant.client.post("/v1/aso/content", body, headers=headers)
        except requests.RequestException:
            return ""
        assert answer.status_code == 201 or answer.status_code in {409, 500, 502, 503}, answer.text
        assert answer.status_code != 409 or answer.json()["code"] == "idempotency_in_progress", answer.text
        return str(answer.json()["content_id"]) if answer.status_code == 201 else ""

    return wait_for(attempt, 90, every=0.2, what="the request is answered")


def test_the_host_is_killed_twice_under_load(cloud: Stack, tenant: TenantHandle, context: Context) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(persistently, tenant, number) for number in range(60)]
        for share in (10, 30):
            wait_for(lambda share=share: sum(each.done() for each in answers) >= share)  # type: ignore[misc]
            crash(cloud)
            lease_gone(cloud, tenant)
        ids = {each.result() for each in answers}
    assert len(ids) == 60
    cloud.settled()
    held = {key for _, key in in_bigquery(context)}
    assert held == ids
    assert agree(context)
    for content_id in ids:
        assert len(set(changes(context, "content_pieces", content_id))) == 1


def test_the_host_is_killed_while_a_job_runs(cloud: Stack, tenant: TenantHandle, context: Context) -> None:
    """The job is dispatched, begun and ended; a crash at any point leaves every row imported once."""
    content = "keyword,search_volume\n" + "".join(f"shoes {number},{number}\n" for number in range(300))
    with paused(cloud, "aso-keyword-import-run"):
        started = tenant.client.request(
            "POST", "/v1/aso/keywords/import", data=content.encode(), headers={"Content-Type": "text/csv"}
        )
        assert started.status_code == 202, started.text
        wait_for(lambda: cloud.local.dispatcher.status()["aso-keyword-import-run"]["waiting"])
        crash(cloud)
    job = wait_for(lambda: job_ended(tenant.client, started.json()["job_id"]), 60, what="the job ends")
    assert (job["status"], job["progress"]["done"]) == ("succeeded", 300)
    cloud.settled()
    assert len([key for table, key in in_bigquery(context) if table == "keywords"]) == 300
    assert agree(context)
