"""Run a search for what is left of a person."""

from common.context import Context
from common.jobs.models import JobTask
from common.platform.privacy import residue
from triggers import task


@task.handler(
    while_resting=True,
    timeout=1800,
    memory=1024,
    concurrency=1,
    concurrent_dispatches=2,
    needs={
        "bigquery:read": "Searches every table of the tenant.",
        "firestore:write": "Searches every document of the tenant, and writes the job's progress.",
        "storage:write": "Searches every file, and looks whether the job has rows that were refused.",
        "redis:use": "Searches every key of the tenant.",
        "kms:use": "Opens the case, which is sealed.",
        "tasks:enqueue:platform-privacy-residue-run": "Tries again later where a dependency is away.",
    },
)
def privacy_residue_run(body: JobTask, context: Context) -> None:
    """Search every store for what is left of a person."""
    residue.run(context, body)
