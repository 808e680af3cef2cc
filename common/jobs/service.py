"""Jobs from the outside: started in a transaction, dispatched by an event, read and listed by their tenant."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from common import objects
from common.answers import Download, Page, Record
from common.context import Context
from common.documents import encode_value
from common.errors import Conflict, NotFound, PoisonEvent
from common.events import Envelope
from common.identifiers import uuid7
from common.jobs.entities import JOBS
from common.jobs.models import FINAL, Job, JobListQuery, JobTask, JobView, Progress
from common.store import Repository, Work, write_record
from common.tasks import enqueue

LONGEST_RUN = 1800
"""Seconds Cloud Tasks waits for one attempt at most."""


def start_job(
    work: Work,
    *,
    type: str,  # noqa: A002  # the document's word
    function: str,
    parameters: Mapping[str, Any] | None = None,
    unit: str = "items",
    total: int | None = None,
    job_id: uuid.UUID | None = None,
) -> Job:
    """Create a job within a transaction; the change feed starts it once the transaction is committed.

    Args:
        work: The transaction.
        type: Kind of work, such as ``keyword_import``.
        function: Name of the task function that does it; its body is ``JobTask``.
        parameters: What to do.
        unit: What progress counts.
        total: How many units there are, if that is known.
        job_id: A derived id, where the same request must not start a second job (``job_exists``).
    """
    now = datetime.now(UTC)
    job = Job(
        job_id=job_id or uuid7(),
        tenant_id=work.context.tenant_id,
        type=type,
        function=function,
        parameters=encode_value(dict(parameters or {})),
        progress=Progress(total=total, unit=unit),
        created_at=now,
        updated_at=now,
        created_by=work.context.principal.id,
    )
    return work.create(JOBS, job)


def dispatch(context: Context, envelope: Envelope) -> None:
    """Create the task of a new job; a second delivery of the event changes nothing.

    Raises:
        PoisonEvent: ``not_a_job``: the event tells of something else.
    """
    change = envelope.payload
    function = change.data.get("function")
    if change.entity != JOBS.name or not isinstance(function, str):
        raise PoisonEvent("not_a_job", f"{envelope.event_type} of {change.document} names no function to run")
    task = JobTask(job_id=uuid.UUID(change.document_id))
    tenant = context.for_tenant(envelope.tenant_id)
    enqueue(tenant, function, task, name=change.document_id, dispatch_deadline=LONGEST_RUN)


def get(context: Context, job_id: uuid.UUID) -> Record[JobView]:
    """Return a job of the tenant.

    Raises:
        NotFound: ``job_not_found``.
    """
    record = Repository(JOBS, context).get(str(job_id))
    return Record(value=record.value.view(), update_time=record.update_time)


def cancel(context: Context, job_id: uuid.UUID) -> Record[JobView]:
    """End a job of the tenant before it is over; the run that works on it notices when it writes its progress.

    Raises:
        NotFound: ``job_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``invalid_transition``: it is over.
    """

    def work(unit: Work) -> JobView:
        record = unit.get_for_update(JOBS, str(job_id))
        job, now = record.value, datetime.now(UTC)
        if job.status in FINAL:
            raise Conflict("invalid_transition", f"The job is {job.status}; only a queued or running one is cancelled.")
        ended = {"status": "cancelled", "lease": None, "finished_at": now, "updated_at": now}
        return unit.update(JOBS, record, job.model_copy(update=ended)).view()

    return write_record(context, work)


def list_jobs(context: Context, query: JobListQuery) -> Page[JobView]:
    """Return jobs of the tenant, newest first."""
    wanted = {"status": query.status, "type": query.type}
    filters = [(name, "==", value) for name, value in wanted.items() if value is not None]
    page = Repository(JOBS, context).page(filters, limit=query.limit, cursor=query.cursor)
    return Page(items=[job.view() for job in page.items], next_cursor=page.next_cursor)


def errors_path(job_id: uuid.UUID) -> str:
    """Return the path of a job's error file in the report bucket, below the tenant."""
    return f"jobs/{job_id}/errors.csv"


def errors(context: Context, job_id: uuid.UUID) -> Download:
    """Return the file with the rows a job did not take.

    Raises:
        NotFound: ``job_not_found``, or ``job_errors_not_found`` where every row was taken.
    """
    Repository(JOBS, context).get(str(job_id))
    chunks = objects.stream(context, context.clients.settings.report_bucket, errors_path(job_id))
    if chunks is None:
        raise NotFound("job_errors_not_found", "This job has no error file: no row was refused so far.")
    return Download(chunks=chunks, content_type="text/csv; charset=utf-8", filename=f"errors-{job_id}.csv")
