"""What cannot be processed is set aside with its bytes and its reason, listed, replayed, and in nobody's way."""

from __future__ import annotations

import dataclasses
import json
import uuid
from datetime import UTC, datetime
from typing import Any

from google.cloud.tasks_v2 import types

from common.clients.bigquery import bigquery_client
from common.clients.firestore import firestore_client
from common.context import Context
from common.publish import publish
from common.warehouse.provision import provision_tenant
from tests.end_to_end.support import INVALIDATE, RELAY, SYNC, behind, captured, job_ended
from tests.functions.platform.test_warehouse_path import agree
from tests.stack import Stack, TenantHandle, wait_for

DISPATCH = "platform-job-dispatch"
IMPORT = "aso-keyword-import-run"


def letters(cloud: Stack, function: str, mark: str, status: str = "pending") -> list[dict[str, Any]]:
    """Return the dead letters of a function that mention a text, as an operator sees them."""
    query: dict[str, Any] = {"function": function, "status": status, "limit": 200}
    answer = cloud.get("/v1/platform/dead-letters", params=query)
    assert answer.status_code == 200, answer.text
    return [item for item in answer.json()["items"] if mark in json.dumps(item)]


def replayed(cloud: Stack, letter: dict[str, Any]) -> None:
    """Replay a dead letter as an operator."""
    answer = cloud.post(f"/v1/platform/dead-letters/{letter['id']}/replay")
    assert answer.status_code == 200, answer.text


def write(tenant: TenantHandle, keyword: str = "running shoes") -> str:
    """Write a keyword; return its id."""
    answer = tenant.client.post("/v1/aso/keywords", {"rows": [{"keyword": keyword, "search_volume": 9}]})
    assert answer.status_code == 207, answer.text
    return str(answer.json()["rows"][0]["value"]["keyword_id"])


def test_a_consumer_that_fails_five_times(cloud: Stack, tenant: TenantHandle) -> None:
    """The queue of one kind of job is gone; jobs of another kind are dispatched all the while."""
    queues, settings = cloud.local.queues, cloud.settings
    name = f"projects/{settings.project}/locations/{settings.region}/queues/{IMPORT}"
    queue = queues.get_queue(types.GetQueueRequest(name=name))
    queues.delete_queue(types.DeleteQueueRequest(name=name))
    try:
        started = tenant.client.request(
            "POST",
            "/v1/aso/keywords/import",
            data=b"keyword,search_volume\nshoes,5\n",
            headers={"Content-Type": "text/csv"},
        )
        assert started.status_code == 202, started.text
        job_id = started.json()["job_id"]
        other = cloud.post("/v1/platform/reconciliations", {"tenant_id": tenant.tenant_id})
        assert other.status_code == 202, other.text
        wait_for(lambda: job_ended(tenant.client, other.json()["job_id"]), 60, what="another job goes on")
        [letter] = wait_for(lambda: letters(cloud, DISPATCH, f"jobs/{job_id}"), 60, what="it is set aside")
    finally:
        queues.create_queue(types.CreateQueueRequest(parent=name.rpartition("/queues/")[0], queue=queue))
    assert (letter["code"], letter["attempts"], letter["kind"]) == ("attempts_exhausted", 5, "message")
    assert (letter["tenant_id"], letter["topic"]) == (tenant.tenant_id, "platform-events")
    assert tenant.client.get(f"/v1/jobs/{job_id}").json()["status"] == "queued"
    replayed(cloud, letter)
    job = wait_for(lambda: job_ended(tenant.client, job_id), 60, what="the replay is dispatched")
    assert job["status"] == "succeeded"
    assert letters(cloud, DISPATCH, job_id) == []
    assert [each["id"] for each in letters(cloud, DISPATCH, job_id, "replayed")] == [letter["id"]]


def test_one_tenants_data_set_is_gone(cloud: Stack, tenant: TenantHandle, context: Context) -> None:
    """Others go on, and are not cut off by a breaker either; what was set aside arrives once it is back."""
    neighbour = cloud.tenant()
    client = cloud.clients.get(bigquery_client)
    dataset = f"{cloud.settings.project}.aso_tenant_{tenant.tenant_id}"
    client.delete_dataset(dataset, delete_contents=True)
    [delivery] = captured(cloud, SYNC, lambda: write(tenant))
    # Five attempts are enough to see: the subscription's hundred take hours in production.
    delivery.policy = dataclasses.replace(delivery.policy, attempts=5)
    cloud.local.dispatcher.submit(delivery)
    write(neighbour)
    wait_for(lambda: agree(behind(cloud, neighbour.tenant_id)), 30, what="the neighbour's change arrives")
    [letter] = wait_for(lambda: letters(cloud, SYNC, tenant.tenant_id), 60, what="it is set aside")
    assert (letter["code"], letter["attempts"], letter["topic"]) == ("attempts_exhausted", 5, "aso-events")
    assert neighbour.client.get("/v1/aso/stats").status_code == 200
    answer = tenant.client.get("/v1/aso/stats")
    assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
    provision_tenant(context, tenant.tenant_id)
    invalidations = cloud.local.dispatcher.status()[INVALIDATE]["delivered"]
    replayed(cloud, letter)
    wait_for(lambda: agree(context), 30, what="the replay arrives")
    cloud.settled()
    assert cloud.local.dispatcher.status()[INVALIDATE]["delivered"] == invalidations, "only who failed gets it again"
    assert letters(cloud, SYNC, tenant.tenant_id) == []


def test_bytes_that_are_no_event_are_kept_and_do_not_block(
    cloud: Stack, tenant: TenantHandle, context: Context
) -> None:
    mark = uuid.uuid4().hex
    poison = f"{mark} \x00 no event".encode() + b"\xff\xfe"
    key = f"keywords/{mark}"
    publish(cloud.clients, "aso-events", poison, {"event_type": "keyword-upserted"}, key)
    publish(cloud.clients, "aso-events", b"", {"mark": mark}, key)
    write(tenant)
    wait_for(lambda: agree(context), 30, what="the events behind it arrive")
    cloud.settled()
    found = cloud.clients.get(firestore_client).collection("system/dead_letters/messages").stream()
    kept = [fields for snapshot in found if mark in str(fields := snapshot.to_dict())]
    for function in (SYNC, INVALIDATE):
        own = [fields for fields in kept if fields["function"] == function]
        assert sorted(each["code"] for each in own) == ["invalid_envelope", "invalid_envelope"]
        assert all(each["reason"] for each in own)
        assert [each["kind"] for each in letters(cloud, function, mark)] == ["message", "message"]
        assert sorted(each["data"] for each in own) == [b"", poison]


def test_a_document_without_a_tenant(cloud: Stack, tenant: TenantHandle, context: Context) -> None:
    """Somebody wrote past the repository: no event can say whose it is."""
    keyword_id = str(uuid.uuid4())
    document = cloud.clients.get(firestore_client).document(f"keywords/{keyword_id}")
    now = datetime.now(UTC)
    document.set(
        {
            "keyword_id": keyword_id,
            "keyword": "boots",
            "keyword_normalized": "boots",
            "priority": "tier3",
            "created_at": now,
            "updated_at": now,
        }
    )
    write(tenant)
    wait_for(lambda: agree(context), 30, what="others arrive")
    [letter] = wait_for(lambda: letters(cloud, RELAY, keyword_id), what="the change is set aside")
    assert (letter["code"], letter["kind"]) == ("tenant_missing", "document")
    replayed(cloud, letter)
    again = wait_for(
        lambda: [each for each in letters(cloud, RELAY, keyword_id) if each["failures"] == 2],
        what="its replay ends there again",
    )
    assert [each["id"] for each in again] == [letter["id"]]
    document.update({"tenant_id": tenant.tenant_id})
    wait_for(lambda: agree(context), 30, what="once it names its tenant it arrives")
    document.delete()
    wait_for(lambda: agree(context), 30, what="its deletion too")
