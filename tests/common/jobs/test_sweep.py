"""Jobs whose tasks were lost: started again a bounded number of times, then failed; who is at work is left alone."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import PLATFORM_TENANT, Context
from common.errors import Conflict, NotFound
from common.jobs import service
from common.jobs.entities import JOBS
from common.jobs.models import Job, JobTask, Lease
from common.jobs.run import LEASE, MAX_ATTEMPTS, JobEnded, begin
from common.jobs.sweep import AT_ONCE, LONGEST_SILENCE, SILENCE, is_lost, sweep
from common.store import Repository, Work, transact, write_record
from tests.common.queues import make_queues, tasks_of
from tests.common.things import context_of

FUNCTION = "test-sweep-run"
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def context(clients: Clients) -> Iterator[Context]:
    make_queues(clients, FUNCTION)
    yield context_of(clients, f"t{uuid.uuid4().hex[:12]}", seconds=60)
    for document in clients.get(firestore_client).collection(JOBS.collection).list_documents():
        document.delete()


@pytest.fixture
def platform(context: Context) -> Context:
    return dataclasses.replace(context, tenant_id=PLATFORM_TENANT)


def job_of(context: Context, **fields: Any) -> Job:
    """Store a job whose last sign of life was at noon."""

    def work(unit: Work) -> Job:
        return service.start_job(unit, type="test", function=FUNCTION)

    job = transact(context, work)
    changes = {"created_at": NOW, "updated_at": NOW, **fields}

    def change(unit: Work) -> Job:
        record = unit.get(JOBS, str(job.job_id))
        return unit.update(JOBS, record, record.value.model_copy(update=changes))

    return write_record(context, change).value


def stored(context: Context, job: Job) -> Job:
    return Repository(JOBS, context).get(str(job.job_id)).value


def tasks_for(context: Context, job: Job) -> int:
    bodies = [JobTask.model_validate_json(task.http_request.body) for task in tasks_of(context.clients, FUNCTION)]
    return [body.job_id for body in bodies].count(job.job_id)


def changed(counts: Any) -> tuple[int, int]:
    return counts["started"], counts["failed"]


def test_a_queued_job_is_started_again_after_ten_minutes_and_then_ever_later(
    context: Context, platform: Context
) -> None:
    job = job_of(context)
    assert changed(sweep(platform, NOW + SILENCE)) == (0, 0), "its task may be on its way"
    now = NOW + SILENCE + MINUTE
    assert changed(sweep(platform, now)) == (1, 0)
    assert (stored(context, job).attempts, stored(context, job).status, tasks_for(context, job)) == (1, "queued", 1)
    assert changed(sweep(platform, now + MINUTE)) == (0, 0), "once more changes nothing"
    assert changed(sweep(platform, now + 2 * SILENCE)) == (0, 0), "the next start waits twice as long"
    assert changed(sweep(platform, now + 2 * SILENCE + MINUTE)) == (1, 0)
    assert (stored(context, job).attempts, tasks_for(context, job)) == (2, 2)


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_job_that_never_moves_is_given_up_in_the_end(status: str, context: Context, platform: Context) -> None:
    job, now = job_of(context, status=status), NOW
    for attempt in range(1, MAX_ATTEMPTS + 1):
        now += LONGEST_SILENCE + MINUTE
        assert changed(sweep(platform, now)) == (1, 0)
        assert stored(context, job).attempts == attempt
    now += LONGEST_SILENCE + MINUTE
    assert changed(sweep(platform, now)) == (0, 1)
    failed = stored(context, job)
    assert (failed.status, failed.finished_at, failed.lease) == ("failed", now, None)
    assert failed.error is not None
    assert failed.error.code == "job_lost"
    assert "10 attempts" in failed.error.detail
    assert tasks_for(context, job) == MAX_ATTEMPTS
    assert changed(sweep(platform, now + timedelta(days=9))) == (0, 0)


def test_a_run_that_left_its_lease_behind_has_died(context: Context, platform: Context) -> None:
    lease = Lease(owner="dead", until=NOW + LEASE)
    job = job_of(context, status="running", attempts=5, lease=lease, checkpoint={"row": 7})
    assert changed(sweep(platform, NOW + LEASE + SILENCE)) == (0, 0)
    assert changed(sweep(platform, NOW + LEASE + SILENCE + MINUTE)) == (1, 0)
    again = begin(context, job.job_id)
    assert again is not None
    assert again.checkpoint == {"row": 7}


def test_who_is_at_work_and_what_is_over_is_left_alone(context: Context, platform: Context) -> None:
    now = NOW + timedelta(days=1)
    working = job_of(context, status="running", lease=Lease(owner="alive", until=now + MINUTE))
    over = [job_of(context, status=status) for status in ("succeeded", "failed", "cancelled")]
    assert changed(sweep(platform, now)) == (0, 0)
    for job in (working, *over):
        assert stored(context, job) == job
        assert tasks_for(context, job) == 0


def test_a_job_that_begins_meanwhile_is_not_touched(
    context: Context, platform: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its task, the lost one or the new one, begins between the look and the note."""
    from common.jobs import sweep as module

    job = job_of(context)
    start = module._start

    def start_and_begin(own: Context, found: Job) -> None:
        start(own, found)
        assert begin(own, found.job_id) is not None

    monkeypatch.setattr(module, "_start", start_and_begin)
    assert sweep(platform, NOW + SILENCE + MINUTE) == {"kept": 1, "started": 0, "failed": 0}
    begun = stored(context, job)
    assert begun.lease is not None
    assert (begun.status, begun.attempts) == ("running", 1)


def test_a_sweep_that_ends_after_the_task_makes_no_second_one(
    context: Context, platform: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    from common.jobs import sweep as module

    class Death(BaseException):
        pass

    def die(*_arguments: object, **_options: object) -> None:
        raise Death

    job, now = job_of(context), NOW + SILENCE + MINUTE
    with monkeypatch.context() as patched:
        patched.setattr(module, "_note", die)
        with pytest.raises(Death):
            sweep(platform, now)
    assert changed(sweep(platform, now)) == (1, 0)
    assert (tasks_for(context, job), stored(context, job).attempts) == (1, 1)


def test_one_job_whose_function_is_gone_or_that_is_damaged_does_not_hold_up_the_others(
    context: Context, platform: Context
) -> None:
    gone = job_of(context, function="no-such-function")
    document = context.clients.get(firestore_client).document(f"{JOBS.collection}/damaged")
    document.set({"status": "queued", "updated_at": NOW - MINUTE})
    other = job_of(context, updated_at=NOW + MINUTE)
    assert changed(sweep(platform, NOW + SILENCE + 2 * MINUTE)) == (2, 0)
    assert (stored(context, gone).attempts, tasks_for(context, other)) == (1, 1)


def test_a_sweep_is_bounded_and_takes_the_longest_silent_first(
    context: Context, platform: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    from common.jobs import sweep as module

    assert AT_ONCE >= 100
    monkeypatch.setattr(module, "AT_ONCE", 2)
    jobs = [job_of(context, updated_at=NOW - number * MINUTE) for number in range(3)]
    now = NOW + SILENCE + MINUTE
    assert changed(sweep(platform, now)) == (2, 0)
    assert [stored(context, job).attempts for job in jobs] == [0, 1, 1]
    assert changed(sweep(platform, now)) == (1, 0)


def test_how_long_a_job_may_be_silent() -> None:
    job = Job(
        job_id=uuid.uuid4(),
        tenant_id="demo",
        type="test",
        function=FUNCTION,
        created_by="a",
        created_at=NOW,
        updated_at=NOW,
    )
    minutes = []
    for attempts in range(MAX_ATTEMPTS + 1):
        tried = job.model_copy(update={"attempts": attempts})
        minutes.append(next(n for n in range(200) if is_lost(tried, NOW + n * MINUTE + MINUTE / 2)))
    assert minutes == [10, 20, 40, 80, 120, 120, 120, 120, 120, 120, 120]


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_job_is_cancelled_and_its_run_stops(status: str, context: Context, clients: Clients) -> None:
    job = job_of(context)
    run = begin(context, job.job_id) if status == "running" else None
    with pytest.raises(NotFound):
        service.cancel(context_of(clients, "intruder"), job.job_id)
    cancelled = service.cancel(context, job.job_id).value
    assert cancelled.status == "cancelled"
    assert cancelled.finished_at is not None
    assert stored(context, job).lease is None
    if run is not None:
        with pytest.raises(JobEnded):
            run.progress(1, flush=True)
    assert begin(context, job.job_id) is None, "a task that comes later finds nothing to do"
    assert stored(context, job).status == "cancelled"


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_what_is_over_is_not_cancelled(status: str, context: Context) -> None:
    job = job_of(context, status=status)
    with pytest.raises(Conflict) as refusal:
        service.cancel(context, job.job_id)
    assert refusal.value.code == "invalid_transition"
    assert stored(context, job) == job
