"""Run the import of a file of keywords."""

from common.aso.imports import run
from common.context import Context
from common.jobs.models import JobTask
from common.jobs.run import run_job
from triggers import task


@task.handler(
    timeout=1800,
    memory=1024,
    concurrency=2,
    concurrent_dispatches=5,
    needs={
        "bigquery:write": "Records the search performance of Search Console's tables.",
        "firestore:write": "Stores keywords and ranks, and the job's progress.",
        "redis:use": "Drops the cached answers that new search performance makes stale.",
        "storage:read": "Reads the uploaded file.",
        "storage:write": "Keeps the rows that were refused.",
        "tasks:enqueue:aso-keyword-import-run": "Goes on in a follow-up task near the end of its time.",
    },
)
def keyword_import_run(body: JobTask, context: Context) -> None:
    """Import the rows of a job's file from its last checkpoint on."""
    run_job(context, body, run.run)
