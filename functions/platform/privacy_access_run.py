"""Run an access export."""

from common.context import Context
from common.jobs.models import JobTask
from common.platform.privacy import access_run
from triggers import task


@task.handler(
    while_resting=True,
    timeout=1800,
    memory=1024,
    concurrency=1,
    concurrent_dispatches=5,
    needs={
        "bigquery:read": "Reads the rows about the person.",
        "firestore:write": "Reads the documents about the person, and writes the job's progress.",
        "storage:write": "Looks through files, and writes the export.",
        "kms:use": "Opens the case, which is sealed.",
        "tasks:enqueue:platform-privacy-access-delete": "Lets the export be deleted when its time is over.",
        "tasks:enqueue:platform-privacy-access-run": "Tries again later where a dependency is away.",
    },
)
def privacy_access_run(body: JobTask, context: Context) -> None:
    """Write everything that is kept about a person into one file."""
    access_run.run(context, body)
