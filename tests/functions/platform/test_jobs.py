"""Jobs over HTTP: read, listed and their error files downloaded by their tenant only; dispatched by their event."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common import objects
from common.context import Context
from common.jobs import service
from common.jobs.entities import JOBS
from common.jobs.models import Job, Lease
from common.jobs.run import CSV
from common.store import Work, transact, write_record
from tests.common.things import context_of
from tests.stack import Stack, TenantHandle


@pytest.fixture
def context(cloud: Stack, tenant: TenantHandle) -> Context:
    return context_of(cloud.clients, tenant.tenant_id, function="test")


def start(context: Context, function: str = "aso-keyword-import-run") -> Job:
    """Create a finished job: its task finds nothing to do."""

    def work(unit: Work) -> Job:
        return service.start_job(unit, type="test", function=function, unit="rows", total=10)

    job = transact(context, work)

    def finish(unit: Work) -> Job:
        record = unit.get(JOBS, str(job.job_id))
        return unit.update(JOBS, record, record.value.model_copy(update={"status": "succeeded", "result": {"n": 1}}))

    return write_record(context, finish).value


def test_a_job_is_read_with_its_version_and_without_its_inner_state(tenant: TenantHandle, context: Context) -> None:
    job = start(context)
    answer = tenant.client.get(f"/v1/jobs/{job.job_id}")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["status"] == "succeeded"
    assert body["progress"] == {"done": 0, "total": 10, "unit": "rows"}
    assert body["result"] == {"n": 1}
    assert not {"lease", "checkpoint", "parameters", "function"} & set(body)
    known = tenant.client.get(f"/v1/jobs/{job.job_id}", headers={"If-None-Match": answer.headers["ETag"]})
    assert known.status_code == 304
    at_its_own_address = tenant.client.get(f"/platform-job-get/{job.job_id}")
    assert at_its_own_address.json() == body


def test_jobs_are_listed_by_pages(tenant: TenantHandle, context: Context) -> None:
    jobs = [start(context) for _ in range(3)]
    first = tenant.client.get("/v1/jobs", params={"limit": 2, "status": "succeeded"})
    assert first.status_code == 200, first.text
    assert 'rel="next"' in first.headers["Link"]
    rest = tenant.client.get(
        "/v1/jobs", params={"limit": 2, "status": "succeeded", "cursor": first.json()["next_cursor"]}
    )
    found = [item["job_id"] for item in [*first.json()["items"], *rest.json()["items"]]]
    assert found == [str(job.job_id) for job in reversed(jobs)]
    moved = tenant.client.get("/v1/jobs", params={"limit": 2, "cursor": first.json()["next_cursor"]})
    assert (moved.status_code, moved.json()["code"]) == (400, "invalid_cursor")
    assert tenant.client.get("/v1/jobs", params={"limit": 0}).status_code == 422


def test_the_error_file_is_downloaded(cloud: Stack, tenant: TenantHandle, context: Context) -> None:
    job = start(context)
    missing = tenant.client.get(f"/v1/jobs/{job.job_id}/errors")
    assert (missing.status_code, missing.json()["code"]) == (404, "job_errors_not_found")
    content = b"row,message\r\n2,no\r\n" * 80_000
    objects.write(context, cloud.settings.report_bucket, service.errors_path(job.job_id), content, CSV)
    answer = tenant.client.get(f"/v1/jobs/{job.job_id}/errors")
    assert answer.status_code == 200
    assert answer.content == content
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert f"errors-{job.job_id}.csv" in answer.headers["Content-Disposition"]


def test_a_job_of_another_tenant_does_not_exist(cloud: Stack, tenant: TenantHandle, context: Context) -> None:
    job = start(context)
    intruder = cloud.tenant().client
    for path in (f"/v1/jobs/{job.job_id}", f"/v1/jobs/{job.job_id}/errors", f"/v1/jobs/{uuid.uuid4()}"):
        answer = intruder.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
    assert intruder.get("/v1/jobs").json() == {"items": [], "next_cursor": None}
    unscoped = cloud.key(tenant.tenant_id, scopes=["aso:read"]).client
    assert unscoped.get(f"/v1/jobs/{job.job_id}").status_code == 403
    assert cloud.anonymous.get(f"/v1/jobs/{job.job_id}").status_code == 401


def changed(context: Context, job: Job, **fields: Any) -> Job:
    """Change a job as it is stored, past its states."""

    def work(unit: Work) -> Job:
        record = unit.get(JOBS, str(job.job_id))
        return unit.update(JOBS, record, record.value.model_copy(update=fields))

    return write_record(context, work).value


def test_a_job_is_cancelled_once(cloud: Stack, tenant: TenantHandle, context: Context) -> None:
    job = changed(context, start(context), status="running", result=None)
    path = f"/v1/jobs/{job.job_id}/cancel"
    reader = cloud.key(tenant.tenant_id, scopes=["jobs:read"]).client
    assert reader.post(path).status_code == 403
    assert cloud.tenant().client.post(path).status_code == 404
    stale = tenant.client.post(path, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    key = {"Idempotency-Key": str(uuid.uuid4())}
    answer = tenant.client.post(path, headers=key)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "cancelled"
    assert not {"lease", "checkpoint", "parameters", "function"} & set(answer.json())
    read = tenant.client.get(f"/v1/jobs/{job.job_id}")
    assert (read.json(), read.headers["ETag"]) == (answer.json(), answer.headers["ETag"])
    again = tenant.client.post(path, headers=key)
    assert (again.status_code, again.json()) == (200, answer.json()), "the same request is answered as before"
    over = tenant.client.post(path)
    assert (over.status_code, over.json()["code"]) == (409, "invalid_transition")


def test_the_sweep_brings_a_job_whose_task_was_lost_to_its_end(
    cloud: Stack, tenant: TenantHandle, context: Context
) -> None:
    job = start(context, "platform-reconcile-run")
    cloud.settled()
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    lease = Lease(owner="a process that was killed", until=long_ago)
    changed(context, job, status="running", lease=lease, attempts=1, updated_at=long_ago, result=None)
    cloud.settled()
    assert tenant.client.get(f"/v1/jobs/{job.job_id}").json()["status"] == "running", "nobody works on it"
    cloud.fire("platform-job-sweep")
    ended = cloud.wait_for(
        lambda: tenant.client.get(f"/v1/jobs/{job.job_id}").json()["result"], 60, what="the job is done"
    )
    assert "keyword" in ended["entities"]
    assert tenant.client.get(f"/v1/jobs/{job.job_id}").json()["status"] == "succeeded"
