"""Carry out an erasure."""

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
        "bigquery:write": "Deletes and changes the rows about the person.",
        "firestore:write": "Deletes and changes the documents about the person, and writes the job's progress.",
        "storage:write": "Removes files about the person.",
        "redis:use": "Drops cached answers and keys about the person.",
        "kms:use": "Opens the case, which is sealed, and makes pseudonyms.",
        "tasks:enqueue:platform-privacy-erasure-run": "Goes on in a follow-up task, or waits for late changes.",
    },
)
def privacy_erasure_run(body: JobTask, context: Context) -> None:
    """Erase a person from every store, and search afterwards for what is left."""
    erasure_run.run(context, body)
