"""One id and one trace from the caller's request through events, tasks and logs."""

from __future__ import annotations

import base64
import json
import os
import uuid
from typing import Any

from tests.end_to_end.support import SYNC, captured, job_ended, logged
from tests.end_to_end.test_schedules import TASK, follow, scan_until_quiet
from tests.stack import Stack, TenantHandle, wait_for


class Chain:
    """A request with an id and a trace of its own, and what the log says of it."""

    def __init__(self, cloud: Stack) -> None:
        self.cloud = cloud
        self.request_id = f"request-{uuid.uuid4()}"
        self.trace_id = os.urandom(16).hex()
        self.headers = {
            "X-Request-ID": self.request_id,
            "traceparent": f"00-{self.trace_id}-{os.urandom(8).hex()}-01",
        }

    def reaches(self, *functions: str) -> None:
        """Wait until the log has lines of these functions in this chain, and check their trace."""
        self.cloud.settled()
        wait_for(lambda: set(functions) <= set(self.lines()), what=f"{functions} log {self.request_id}")
        for function, traces in self.lines().items():
            assert traces == {f"projects/{self.cloud.settings.project}/traces/{self.trace_id}"}, function

    def lines(self) -> dict[str, set[str]]:
        """Return the traces by function of the lines of this chain."""
        found: dict[str, set[str]] = {}
        for line in logged(self.cloud, correlation_id=self.request_id):
            found.setdefault(line["function"], set()).add(line["logging.googleapis.com/trace"])
        return found


def envelope_in(body: bytes) -> dict[str, Any]:
    """Return the event in a push."""
    event: dict[str, Any] = json.loads(base64.b64decode(json.loads(body)["message"]["data"]))
    return event


def test_a_write(cloud: Stack, tenant: TenantHandle) -> None:
    chain = Chain(cloud)
    body = {"rows": [{"keyword": "running shoes", "search_volume": 9}]}

    def write() -> None:
        answer = tenant.client.post("/v1/aso/keywords", body, headers=chain.headers)
        assert (answer.status_code, answer.headers["X-Request-ID"]) == (207, chain.request_id)

    [delivery] = captured(cloud, SYNC, write)
    metadata = envelope_in(delivery.compose(delivery).body)["metadata"]
    assert (metadata["correlation_id"], metadata["request_id"]) == (chain.request_id, chain.request_id)
    assert metadata["traceparent"].split("-")[1] == chain.trace_id
    cloud.local.dispatcher.submit(delivery)
    chain.reaches("aso-keyword-upsert", "platform-relay-shared", "aso-warehouse-sync", "aso-cache-invalidate")


def test_a_deletion(cloud: Stack, tenant: TenantHandle) -> None:
    """The document that is gone names its last writer; the deleter is found all the same."""
    written, chain = Chain(cloud), Chain(cloud)
    body = {"rows": [{"keyword": "running shoes", "search_volume": 9}]}
    answer = tenant.client.post("/v1/aso/keywords", body, headers=written.headers)
    path = f"/v1/aso/keywords/{answer.json()['rows'][0]['value']['keyword_id']}"
    cloud.settled()
    before = len(logged(cloud, correlation_id=written.request_id))
    assert tenant.client.delete(path, headers=chain.headers).status_code in {200, 204}
    chain.reaches("aso-keyword-delete", "aso-warehouse-sync", "aso-cache-invalidate")
    assert len(logged(cloud, correlation_id=written.request_id)) == before


def test_a_job(cloud: Stack, tenant: TenantHandle) -> None:
    chain = Chain(cloud)
    started = tenant.client.request(
        "POST",
        "/v1/aso/keywords/import",
        data=b"keyword,search_volume\nshoes,5\n",
        headers={**chain.headers, "Content-Type": "text/csv"},
    )
    assert started.status_code == 202, started.text
    wait_for(lambda: job_ended(tenant.client, started.json()["job_id"]), 60, what="the job ends")
    chain.reaches(
        "aso-keyword-import",
        "platform-relay-shared",
        "platform-job-dispatch",
        "aso-keyword-import-run",
        "aso-warehouse-sync",
    )


def test_a_scan_on_demand(cloud: Stack, tenant: TenantHandle) -> None:
    follow(tenant, range(2))
    cloud.settled()
    chain = Chain(cloud)
    answer = tenant.client.post("/v1/aso/opportunities/scan", headers=chain.headers)
    assert answer.json()["created"] == 2
    chain.reaches("aso-opportunity-scan-now", "platform-relay-shared", "aso-warehouse-sync", "aso-cache-invalidate")


def test_a_scheduled_scan(cloud: Stack, tenant: TenantHandle) -> None:
    """A run of a schedule begins a chain of its own: the run, the task of each tenant, and what the task writes."""
    follow(tenant, range(2))
    scan_until_quiet(cloud, tenant)
    first = wait_for(lambda: logged(cloud, function=TASK, tenant_id=tenant.tenant_id))[0]
    chain = Chain(cloud)
    chain.request_id = first["correlation_id"]
    chain.trace_id = first["logging.googleapis.com/trace"].rpartition("/")[2]
    chain.reaches("aso-opportunity-scan", TASK, "platform-relay-shared", "aso-warehouse-sync")
