"""Beginning the undo of an import: who may, and the one job that does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from common.answers import Answer
from common.aso.imports import journal
from common.aso.imports.entities import IMPORTS
from common.aso.imports.models import Import
from common.context import Context
from common.errors import Conflict
from common.identifiers import uuid7
from common.jobs.entities import JOBS
from common.jobs.models import FINAL, Job, JobView
from common.jobs.run import LEASE
from common.jobs.service import start_job
from common.store import Work, transact

UNDO_FUNCTION = "aso-import-undo-run"


def start_undo(context: Context, import_id: str) -> Answer[JobView]:
    """Begin to undo an import; answers 202 with the job. While one is being undone, the same job is answered again.

    Raises:
        NotFound: ``import_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``import_running``: its job is not over; ``import_undone``: it has been undone; ``undo_expired``.
    """

    def work(work: Work) -> Answer[JobView]:
        record = work.get_for_update(IMPORTS, import_id)
        found, now = record.value, datetime.now(UTC)
        running = _running(work, found)
        if running is not None:
            return _accepted(running)
        _check(work, found, now)
        job = start_job(
            work,
            type="import_undo",
            function=UNDO_FUNCTION,
            parameters={"import_id": import_id},
            unit="changes",
            job_id=uuid7(),
        )
        changes = {"status": "undoing", "undo_job_id": str(job.job_id), "updated_at": now}
        work.update(IMPORTS, record, found.model_copy(update=changes))
        return _accepted(job)

    return transact(context, work)


def _running(work: Work, found: Import) -> Job | None:
    """Return the job that undoes an import at present, if there is one."""
    if found.status != "undoing" or found.undo_job_id is None:
        return None
    record = work.find(JOBS, found.undo_job_id)
    return None if record is None or record.value.status in FINAL else record.value


def _check(work: Work, found: Import, now: datetime) -> None:
    if found.status == "undone":
        raise Conflict("import_undone", f"The import was undone at {found.undone_at:%Y-%m-%d %H:%M} UTC.")
    if found.created_at < now - journal.REMEMBERED + timedelta(days=1):
        raise Conflict("undo_expired", f"Imports can be undone for {journal.REMEMBERED.days} days.")
    if found.status != "applying":
        return
    record = work.find(JOBS, found.import_id)
    if record is None:
        return
    job = record.value
    # A run that was cancelled notices when it next writes its progress; until its lease is over it may still store.
    finishing = job.status in FINAL and job.finished_at is not None and job.finished_at > now - LEASE
    if job.status not in FINAL or finishing:
        raise Conflict(
            "import_running", "The import is still running; wait for its job, or cancel it and wait a minute."
        )


def _accepted(job: Job) -> Answer[JobView]:
    return Answer(content=job.view(), status=202, headers={"Location": f"/v1/jobs/{job.job_id}"})
