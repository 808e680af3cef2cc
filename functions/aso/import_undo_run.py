"""Run the undo of an import."""

from common.aso.imports import undo_run
from common.context import Context
from common.jobs.models import JobTask
from common.jobs.run import run_job
from triggers import task


@task.handler(
    timeout=1800,
    memory=512,
    concurrency=2,
    concurrent_dispatches=5,
    needs={
        "bigquery:write": "Retracts the search performance that the import recorded.",
        "firestore:write": "Restores keywords, deletes observations, and keeps the job's progress.",
        "redis:use": "Drops the cached answers that this makes stale.",
        "storage:read": "Looks whether the job kept refused rows.",
        "tasks:enqueue:aso-import-undo-run": "Goes on in a follow-up task near the end of its time.",
    },
)
def import_undo_run(body: JobTask, context: Context) -> None:
    """Take back the changes of an import, from the last checkpoint on."""
    run_job(context, body, undo_run.run)
