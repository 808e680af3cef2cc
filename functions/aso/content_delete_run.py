"""Run a large deletion of content."""

from common.aso import deletion
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
        "firestore:write": "Deletes the pieces and re-points or clears what refers to them.",
        "storage:write": "Looks whether the job has rows that were refused.",
        "tasks:enqueue:aso-content-delete-run": "Goes on in a follow-up task near the end of its time.",
    },
)
def content_delete_run(body: JobTask, context: Context) -> None:
    """Delete the pieces of a job in passes, from its last checkpoint on."""
    run_job(context, body, deletion.run)
