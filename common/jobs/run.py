"""Jobs from the inside: one run at a time, progress with checkpoints, and going on where the last run stopped.

::

    def keyword_import_run(body: JobTask, context: Context) -> None:
        run_job(context, body, imports.run)

    def run(job: JobRun) -> dict[str, int]:
        start = (job.checkpoint or {"row": 0})["row"]
        for rows in chunks_from(start):
            ...                                            # harmless to repeat since the last checkpoint
            job.progress(done, checkpoint={"row": done})
        return {"created": ...}

A run holds a lease. A second delivery of a task waits until the lease is over and takes over only then. Near the
deadline ``progress`` makes a follow-up task and ends the run; the next one begins at the checkpoint.
"""

from __future__ import annotations

import csv
import io
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from common import objects
from common.context import Context
from common.documents import encode_value
from common.errors import PoisonEvent, Refusal, Unavailable, XynergyError
from common.jobs.entities import JOBS
from common.jobs.models import FINAL, Job, JobError, JobTask, Lease
from common.jobs.service import LONGEST_RUN, errors_path
from common.spreadsheets import harmless
from common.store import Work, write_record
from common.tasks import enqueue

LEASE = timedelta(seconds=60)
"""How long a run that gives no sign of life keeps others away."""

WRITE_EVERY = 1.0
"""Seconds between two writes of progress; a document takes about one sustained write a second."""

RESERVE = 15.0
"""Seconds before the deadline at which a run hands over to a follow-up task."""

MAX_ATTEMPTS = 10
"""Runs without any progress before a job is given up."""

RETRY_AFTER = 5.0
"""Seconds before the first follow-up after a dependency was away; doubled with each."""

CSV = "text/csv; charset=utf-8"


class JobEnded(XynergyError):
    """This run must stop: the job was cancelled, taken over, or goes on in a follow-up task."""


class JobRun:
    """One run of a job, holding its lease.

    Attributes:
        context: Circumstances, with the job's tenant.
        job: The job as last written by this run.
    """

    def __init__(self, context: Context, job: Job) -> None:
        self.context = context
        self.job = job
        self._owner = job.lease.owner if job.lease else ""
        self._written = time.monotonic()
        self._pending: dict[str, Any] = {}

    @property
    def parameters(self) -> dict[str, Any]:
        """What to do."""
        return self.job.parameters

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        """Where the last run stopped; None at the beginning."""
        return self.job.checkpoint

    def progress(
        self, done: int, *, total: int | None = None, checkpoint: Mapping[str, Any] | None = None, flush: bool = False
    ) -> None:
        """Tell how far the work is; written about once a second.

        Args:
            done: Units done in all.
            total: Units there are, if that is known by now.
            checkpoint: Where to go on; everything before it is done and durable.
            flush: Write now.

        Raises:
            JobEnded: Stop working: cancelled, taken over by another run, or continued by a follow-up task.
        """
        known = self.job.progress.total if total is None else total
        self._pending["progress"] = self.job.progress.model_copy(update={"done": done, "total": known})
        if checkpoint is not None:
            self._pending["checkpoint"] = encode_value(dict(checkpoint))
        if self.context.deadline.remaining < RESERVE and checkpoint is not None:
            self._hand_over(delay=0)
            raise JobEnded("continued by a follow-up task")
        if flush or time.monotonic() - self._written >= WRITE_EVERY:
            self._write({"lease": _lease(self._owner)})

    def write_errors(self, part: int, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Keep refused rows as a numbered part; the parts become one CSV file when the job ends.

        Args:
            part: Number of the part; writing it again replaces it, so a repeated chunk doubles nothing.
            header: Column names, the same for every part.
            rows: The rows.
        """
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(map(harmless, header))
        writer.writerows([harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
        path = f"{_parts_folder(self.job.job_id)}/{part:08d}.csv"
        objects.write(self.context, self._bucket, path, text.getvalue().encode(), CSV)

    def finish(self, result: Mapping[str, Any] | None = None) -> None:
        """End the job well."""
        self._end({"status": "succeeded", "result": encode_value(dict(result or {})), "error": None})

    def fail(self, code: str, detail: str) -> None:
        """End the job badly.

        Args:
            code: Stable snake_case reason.
            detail: One sentence for a person.
        """
        self._end({"status": "failed", "error": JobError(code=code, detail=detail)})

    def free(self) -> None:
        """Give up the lease, so that the next attempt begins at once."""
        self._write({"lease": None})

    def pause(self, delay: float) -> None:
        """Let a follow-up task go on after ``delay`` seconds."""
        self._hand_over(delay=delay)

    @property
    def _bucket(self) -> str:
        return self.context.clients.settings.report_bucket

    def _end(self, changes: Mapping[str, Any]) -> None:
        merged = self._merge_errors()
        self._write({**changes, "errors_file": merged, "lease": None, "finished_at": datetime.now(UTC)})

    def _merge_errors(self) -> bool:
        """Make one file of the parts, in order; whether there is one."""
        folder = _parts_folder(self.job.job_id)
        parts = objects.paths(self.context, self._bucket, folder)
        contents = [objects.read(self.context, self._bucket, path) or b"" for path in parts]
        if not contents:
            return objects.exists(self.context, self._bucket, errors_path(self.job.job_id))
        body = contents[0] + b"".join(content.partition(b"\r\n")[2] for content in contents[1:])
        objects.write(self.context, self._bucket, errors_path(self.job.job_id), body, CSV)
        return True

    def _hand_over(self, *, delay: float) -> None:
        """Create the follow-up task, then free the lease: a crash in between costs a delay, never the job."""
        part = self.job.part + 1
        task = JobTask(job_id=self.job.job_id)
        name = f"{self.job.job_id}-{part}"
        enqueue(self.context, self.job.function, task, name=name, delay=max(1.0, delay), dispatch_deadline=LONGEST_RUN)
        self._write({"lease": None, "part": part})

    def _write(self, changes: Mapping[str, Any]) -> None:
        """Write the job if this run still holds it.

        Raises:
            JobEnded: It does not.
        """
        pending, self._pending = self._pending, {}
        job_id = str(self.job.job_id)

        def work(unit: Work) -> Job:
            record = unit.get(JOBS, job_id)
            job = record.value
            if job.status in FINAL or job.lease is None or job.lease.owner != self._owner:
                raise JobEnded(f"job {job_id} is {job.status} and not this run's any more")
            written = {**pending, **changes, "updated_at": datetime.now(UTC)}
            if "progress" in pending and pending["progress"].done > job.progress.done:
                written["attempts"] = 1
            return unit.update(JOBS, record, job.model_copy(update=written))

        self.job = write_record(self.context, work).value
        self._written = time.monotonic()


def run_job(context: Context, task: JobTask, work: Callable[[JobRun], Mapping[str, Any] | None]) -> None:
    """Run a job's work, from the beginning or from its checkpoint, and record how it ended.

    A refusal or poison ends the job as failed. When a dependency is away, the job goes on later by itself. Any other
    error is raised, for Cloud Tasks to try again, until the job has begun ``MAX_ATTEMPTS`` times without progress.

    Args:
        context: Circumstances of the task, with the job's tenant.
        task: Which job.
        work: Does it; see the module.
    """
    run = begin(context, task.job_id)
    if run is None:
        return
    try:
        result = work(run)
        run.finish(result)
    except JobEnded:
        return
    except (Refusal, PoisonEvent) as error:
        _unless_taken(run.fail, error.code, str(error))
    except Unavailable as error:
        if run.job.attempts >= MAX_ATTEMPTS:
            _unless_taken(run.fail, "dependency_unavailable", f"{error.dependency} was away: {error.detail}")
        else:
            _unless_taken(run.pause, RETRY_AFTER * 2 ** min(run.job.attempts - 1, 6))
    except Exception:
        if run.job.attempts >= MAX_ATTEMPTS:
            _unless_taken(run.fail, "internal_error", "The work failed again and again; it was given up.")
        else:
            _unless_taken(run.free)
        raise


def begin(context: Context, job_id: uuid.UUID) -> JobRun | None:
    """Take the lease of a job; None where there is nothing to do now.

    Where another run holds the lease, a follow-up task looks again when it is over: should that run have died, the job
    goes on.

    Raises:
        NotFound: ``job_not_found``.
    """
    owner = uuid.uuid4().hex

    def work(unit: Work) -> Job:
        record = unit.get(JOBS, str(job_id))
        job = record.value
        now = datetime.now(UTC)
        if job.status in FINAL or (job.lease is not None and job.lease.until > now):
            return job
        started = {
            "status": "running",
            "lease": _lease(owner),
            "attempts": job.attempts + 1,
            "started_at": job.started_at or now,
            "updated_at": now,
        }
        return unit.update(JOBS, record, job.model_copy(update=started))

    job = write_record(context, work).value
    if job.status in FINAL:
        return None
    if job.lease is not None and job.lease.owner == owner:
        return JobRun(context, job)
    if job.lease is not None:
        wait = (job.lease.until - datetime.now(UTC)).total_seconds() + 1
        name = f"{job_id}-after-{job.lease.owner}-{int(job.lease.until.timestamp())}"
        enqueue(
            context,
            job.function,
            JobTask(job_id=job_id),
            name=name,
            delay=max(1.0, wait),
            dispatch_deadline=LONGEST_RUN,
        )
    return None


def _lease(owner: str) -> Lease:
    return Lease(owner=owner, until=datetime.now(UTC) + LEASE)


def _unless_taken(end: Callable[..., None], *arguments: object) -> None:
    """Record the end of a run, unless another run has the job by now."""
    try:
        end(*arguments)
    except JobEnded:
        return


def _parts_folder(job_id: uuid.UUID) -> str:
    return f"jobs/{job_id}/errors"
