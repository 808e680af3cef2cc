"""Plan an erasure."""

from common.context import Context
from common.jobs.models import JobTask
from common.platform.privacy import erasure_run
from triggers import task


@task.handler(
    while_resting=True,
    timeout=1800,
    memory=1024,
    concurrency=1,
    concurrent_dispatches=5,
    needs={
        "bigquery:read": "Counts the rows about the person.",
        "firestore:write": "Counts the documents about the person, and writes the job's progress.",
        "storage:write": "Looks through files, and whether the job has rows that were refused.",
        "redis:use": "Counts keys about the person.",
        "kms:use": "Opens the case, which is sealed, and makes keyed digests.",
        "tasks:enqueue:platform-privacy-erasure-plan-run": "Tries again later where a dependency is away.",
    },
)
def privacy_erasure_plan_run(body: JobTask, context: Context) -> None:
    """Count what an erasure would do, without changing anything."""
    erasure_run.plan(context, body)
