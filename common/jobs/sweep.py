"""Jobs that nobody works on any more: started again a bounded number of times, then failed with the reason.

A task can be lost for good: the process was killed in the last attempt that the queue allows, the queue was purged, the
event of the new job was set aside. Its job would wait forever.

Nobody can tell a lost task from one that waits in a slow or paused queue. A second task does no harm (the job's lease
lets one run work, and a job that is over runs no more), but giving up does; so the sweep waits twice as long after each
start, up to two hours: a job without any sign of life is given up after about fourteen hours. Where a run left its
lease behind, its process has died, and the next start waits for ten minutes only.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from google.cloud.firestore_v1.base_query import FieldFilter
from pydantic import ValidationError

from common.clients.firestore import firestore_client
from common.context import Context
from common.documents import decode
from common.errors import ConfigurationError
from common.held_work import of_working
from common.jobs.entities import JOBS
from common.jobs.models import Job, JobError, JobStatus, JobTask
from common.jobs.run import MAX_ATTEMPTS
from common.jobs.service import LONGEST_RUN
from common.logs import logger
from common.store import Work, transact
from common.tasks import enqueue

SILENCE = timedelta(minutes=10)
"""How long a job gives no sign of life before it counts as lost."""
LONGEST_SILENCE = timedelta(hours=2)
AT_ONCE = 250
"""Jobs of each status that one sweep looks at, the longest silent first."""

Outcome = Literal["kept", "started", "failed"]


def sweep(context: Context, now: datetime | None = None) -> dict[Outcome, int]:
    """Start lost jobs of every tenant again, or fail those that were started often enough; return how many.

    Sweeping again before the next start is due changes nothing.

    Args:
        context: Circumstances of the schedule.
        now: The time to go by; None for the present.

    Raises:
        Unavailable: Firestore or Cloud Tasks does not answer; the next sweep goes on.
    """
    now = now or datetime.now(UTC)
    counts: dict[Outcome, int] = {"kept": 0, "started": 0, "failed": 0}
    statuses: tuple[JobStatus, ...] = ("queued", "running")
    for status in statuses:
        for job in _silent(context, status, now):
            counts[_handle(context.for_tenant(job.tenant_id), job, now)] += 1
    return counts


def is_lost(job: Job, now: datetime) -> bool:
    """Tell whether a job has given no sign of life for so long that its task counts as lost."""
    if job.status not in {"queued", "running"}:
        return False
    if job.lease is not None:
        return job.lease.until < now - SILENCE
    return job.updated_at < now - min(SILENCE * 2.0 ** min(job.attempts, MAX_ATTEMPTS), LONGEST_SILENCE)


def _silent(context: Context, status: JobStatus, now: datetime) -> list[Job]:
    query = context.clients.get(firestore_client).collection(JOBS.collection)
    query = query.where(filter=FieldFilter("status", "==", status))
    query = query.where(filter=FieldFilter("updated_at", "<", now - SILENCE)).order_by("updated_at")
    found = []
    # The tasks of tenants that rest are put aside, not lost.
    for snapshot in of_working(context, query, AT_ONCE):
        try:
            found.append(decode(Job, snapshot.to_dict()))
        except ValidationError as error:
            # One document that somebody damaged must not keep the others waiting.
            logger(context).error("job_unreadable", job_id=snapshot.id, reason=str(error))
    return found


def _handle(context: Context, job: Job, now: datetime) -> Outcome:
    if not is_lost(job, now):
        return "kept"
    again = job.attempts < MAX_ATTEMPTS
    if again:
        # The task first: should the sweep end between the two, the next one makes the task of the same name.
        _start(context, job)
    outcome = transact(context, lambda work: _note(work, job, now, again=again))
    if outcome != "kept":
        logger(context).warning("job_lost", job_id=str(job.job_id), job_type=job.type, outcome=outcome)
    return outcome


def _start(context: Context, job: Job) -> None:
    name = f"{job.job_id}-again-{int(job.updated_at.timestamp())}"
    try:
        enqueue(context, job.function, JobTask(job_id=job.job_id), name=name, dispatch_deadline=LONGEST_RUN)
    except ConfigurationError as error:
        # One job whose function is gone must not keep the others waiting; it counts as started, and fails in the end.
        logger(context).error("job_function_missing", job_id=str(job.job_id), reason=str(error))


def _note(work: Work, seen: Job, now: datetime, *, again: bool) -> Outcome:
    """Write what was done, unless the job has moved since it was looked at."""
    record = work.find(JOBS, str(seen.job_id))
    if record is None or record.value != seen:
        return "kept"
    if again:
        started = {"attempts": seen.attempts + 1, "lease": None, "updated_at": now}
        work.update(JOBS, record, seen.model_copy(update=started))
        return "started"
    detail = f"The work stopped without a word and was started again; it was given up after {seen.attempts} attempts."
    error = JobError(code="job_lost", detail=detail)
    ended = {"status": "failed", "error": error, "lease": None, "finished_at": now, "updated_at": now}
    work.update(JOBS, record, seen.model_copy(update=ended))
    return "failed"
