"""Jobs: one run at a time, progress that survives a crash, follow-up tasks, error files, and what their tenant sees."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import Conflict as BucketExists

from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.context import PLATFORM_TENANT, Context, Deadline
from common.errors import Conflict, NotFound, PoisonEvent, Unavailable, Unprocessable
from common.events import Change, Envelope, EventMetadata
from common.jobs import service
from common.jobs.entities import JOBS
from common.jobs.models import Job, JobListQuery, JobTask
from common.jobs.run import LEASE, MAX_ATTEMPTS, JobEnded, JobRun, begin, run_job
from common.store import Repository, Work, transact, write_record
from tests.common.queues import make_queues, tasks_of
from tests.common.things import context_of

FUNCTION = "test-job-run"


@pytest.fixture
def context(clients: Clients) -> Context:
    make_queues(clients, FUNCTION)
    with contextlib.suppress(BucketExists):
        clients.get(storage_client).create_bucket(clients.settings.report_bucket)
    return context_of(clients, f"t{uuid.uuid4().hex[:12]}", seconds=60)


def started(context: Context, **options: Any) -> Job:
    return transact(
        context,
        lambda work: service.start_job(
            work, type="test", function=FUNCTION, parameters={"file": "x.csv"}, unit="rows", **options
        ),
    )


def stored(context: Context, job: Job) -> Job:
    return Repository(JOBS, context).get(str(job.job_id)).value


def tasks_for(context: Context, job: Job) -> list[str]:
    names = [task.name.rpartition("/")[2] for task in tasks_of(context.clients, FUNCTION)]
    return [name for name in names if name.startswith(str(job.job_id))]


def test_a_job_runs_from_queued_to_succeeded(context: Context) -> None:
    job = started(context, total=3)
    assert stored(context, job).status == "queued"
    seen: list[Any] = []

    def work(run: JobRun) -> dict[str, int]:
        seen.append((run.parameters, run.checkpoint, stored(context, job).status))
        run.progress(1)
        assert stored(context, job).progress.done == 0, "progress is written about once a second"
        run.progress(2, flush=True)
        assert stored(context, job).progress.model_dump() == {"done": 2, "total": 3, "unit": "rows"}
        run.progress(3)
        return {"created": 3}

    run_job(context, JobTask(job_id=job.job_id), work)
    assert seen == [({"file": "x.csv"}, None, "running")]
    view = service.get(context, job.job_id).value
    assert (view.status, view.result, view.progress.done, view.errors_file) == ("succeeded", {"created": 3}, 3, False)
    assert view.started_at is not None
    assert view.finished_at is not None
    assert stored(context, job).lease is None
    run_job(context, JobTask(job_id=job.job_id), work)
    assert len(seen) == 1, "a second delivery of a finished job does nothing"


def test_a_second_delivery_waits_for_the_lease_and_takes_over_only_then(context: Context) -> None:
    job = started(context)
    first = begin(context, job.job_id)
    assert first is not None
    assert begin(context, job.job_id) is None
    assert begin(context, job.job_id) is None
    waiting = tasks_for(context, job)
    assert len(waiting) == 1, "one follow-up looks again when the lease is over"
    first.progress(5, checkpoint={"row": 5}, flush=True)

    def expire(work: Work) -> Job:
        record = work.get(JOBS, str(job.job_id))
        assert record.value.lease is not None
        gone = record.value.lease.model_copy(update={"until": datetime.now(UTC) - timedelta(seconds=1)})
        return work.update(JOBS, record, record.value.model_copy(update={"lease": gone}))

    write_record(context, expire)
    starts: list[Any] = []

    def work(run: JobRun) -> None:
        starts.append(run.checkpoint)

    run_job(context, JobTask(job_id=job.job_id), work)
    assert starts == [{"row": 5}]
    assert stored(context, job).status == "succeeded"
    with pytest.raises(JobEnded):
        first.progress(6, flush=True)
    assert stored(context, job).progress.done == 5


def test_a_crash_resumes_from_the_checkpoint(context: Context) -> None:
    job = started(context)

    class Death(BaseException):
        pass

    rows: list[int] = []

    def work(run: JobRun) -> dict[str, int]:
        start = (run.checkpoint or {"row": 0})["row"]
        for row in range(start, 10):
            rows.append(row)
            run.progress(row + 1, checkpoint={"row": row + 1}, flush=True)
            if row == 4 and len(rows) == 5:
                raise Death
        return {"rows": 10}

    with pytest.raises(Death):
        run_job(context, JobTask(job_id=job.job_id), work)
    lease = stored(context, job).lease
    assert lease is not None
    assert lease.until <= datetime.now(UTC) + LEASE

    def expire(unit: Work) -> Job:
        record = unit.get(JOBS, str(job.job_id))
        return unit.update(JOBS, record, record.value.model_copy(update={"lease": None}))

    write_record(context, expire)
    run_job(context, JobTask(job_id=job.job_id), work)
    assert rows == list(range(10))
    assert stored(context, job).result == {"rows": 10}


def test_near_the_deadline_a_follow_up_task_goes_on(context: Context) -> None:
    job = started(context)
    short = dataclasses.replace(context, deadline=Deadline.after(10))

    def work(run: JobRun) -> dict[str, int]:
        start = (run.checkpoint or {"row": 0})["row"]
        run.progress(start + 1, checkpoint={"row": start + 1})
        return {"from": start}

    run_job(short, JobTask(job_id=job.job_id), work)
    now = stored(context, job)
    assert (now.status, now.checkpoint, now.lease, now.part) == ("running", {"row": 1}, None, 1)
    assert tasks_for(context, job) == [f"{job.job_id}-1"]
    run_job(context, JobTask(job_id=job.job_id), work)
    assert stored(context, job).result == {"from": 1}


def test_a_refusal_fails_the_job_and_a_missing_dependency_postpones_it(context: Context) -> None:
    refused = started(context)

    def refuse(run: JobRun) -> None:
        raise Unprocessable("file_unreadable", "The file cannot be read.")

    run_job(context, JobTask(job_id=refused.job_id), refuse)
    error = stored(context, refused).error
    assert error is not None
    assert (error.code, error.detail) == ("file_unreadable", "The file cannot be read.")
    postponed = started(context)

    def away(run: JobRun) -> None:
        raise Unavailable("bigquery", "down")

    for attempt in range(1, MAX_ATTEMPTS):
        run_job(context, JobTask(job_id=postponed.job_id), away)
        now = stored(context, postponed)
        assert (now.status, now.attempts, now.part, now.lease) == ("running", attempt, attempt, None)
    run_job(context, JobTask(job_id=postponed.job_id), away)
    now = stored(context, postponed)
    assert now.status == "failed"
    assert now.error is not None
    assert now.error.code == "dependency_unavailable"


def test_a_defect_is_raised_for_another_attempt_until_the_job_is_given_up(context: Context) -> None:
    job = started(context)

    def defect(run: JobRun) -> None:
        raise ZeroDivisionError

    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(ZeroDivisionError):
            run_job(context, JobTask(job_id=job.job_id), defect)
    now = stored(context, job)
    assert (now.status, now.attempts) == ("failed", MAX_ATTEMPTS)
    run_job(context, JobTask(job_id=job.job_id), defect)


def test_refused_rows_become_one_file_that_only_the_tenant_downloads(context: Context, clients: Clients) -> None:
    job = started(context)
    with pytest.raises(NotFound) as missing:
        service.errors(context, job.job_id)
    assert missing.value.code == "job_errors_not_found"

    def work(run: JobRun) -> None:
        run.write_errors(1, ["row", "message"], [[7, '=cmd|"x"!A1']])
        run.write_errors(0, ["row", "message"], [[2, "not a number, but text"]])
        run.write_errors(1, ["row", "message"], [[7, "=1+1"]])

    run_job(context, JobTask(job_id=job.job_id), work)
    assert service.get(context, job.job_id).value.errors_file
    download = service.errors(context, job.job_id)
    assert b"".join(download.chunks) == b'row,message\r\n2,"not a number, but text"\r\n7,\'=1+1\r\n'
    assert download.content_type.startswith("text/csv")
    other = context_of(clients, "intruder")
    with pytest.raises(NotFound):
        service.errors(other, job.job_id)
    with pytest.raises(NotFound):
        service.get(other, job.job_id)


def test_jobs_are_listed_newest_first_by_status_and_type(context: Context) -> None:
    first, second = started(context), started(context)
    run_job(context, JobTask(job_id=first.job_id), lambda run: None)
    everything = service.list_jobs(context, JobListQuery())
    assert [job.job_id for job in everything.items] == [second.job_id, first.job_id]
    done = service.list_jobs(context, JobListQuery(status="succeeded", type="test"))
    assert [job.job_id for job in done.items] == [first.job_id]
    page = service.list_jobs(context, JobListQuery(limit=1))
    rest = service.list_jobs(context, JobListQuery(limit=1, cursor=page.next_cursor))
    assert [job.job_id for job in [*page.items, *rest.items]] == [second.job_id, first.job_id]
    assert rest.next_cursor is None
    assert service.list_jobs(context, JobListQuery(type="other")).items == []


def envelope(context: Context, job: Job, **changes: Any) -> Envelope:
    change = Change(
        entity=changes.get("entity", "job"),
        document=f"jobs/{job.job_id}",
        document_id=str(job.job_id),
        operation="created",
        sequence=1,
        data=changes.get("data", {"function": FUNCTION}),
    )
    return Envelope(
        event_type="job-created",
        event_id=uuid.uuid4(),
        timestamp=datetime.now(UTC),
        tenant_id=context.tenant_id,
        source_service="platform",
        schema_version=1,
        payload=change,
        metadata=EventMetadata(correlation_id="c"),
    )


def test_the_event_of_a_new_job_makes_one_task_of_its_name(context: Context, clients: Clients) -> None:
    job = started(context)
    platform = context_of(clients, PLATFORM_TENANT)
    for _ in range(2):
        service.dispatch(platform, envelope(context, job))
    assert tasks_for(context, job) == [str(job.job_id)]
    [task] = [task for task in tasks_of(clients, FUNCTION) if str(job.job_id) in task.name]
    assert JobTask.model_validate_json(task.http_request.body).job_id == job.job_id
    assert task.http_request.headers["X-Tenant-ID"] == context.tenant_id
    wrong: list[dict[str, Any]] = [{"entity": "thing"}, {"data": {}}]
    for broken in wrong:
        with pytest.raises(PoisonEvent):
            service.dispatch(platform, envelope(context, job, **broken))


def test_a_derived_id_starts_one_job(context: Context) -> None:
    job = started(context)
    with pytest.raises(Conflict) as refusal:
        started(context, job_id=job.job_id)
    assert refusal.value.code == "job_exists"
