"""Do the work of a backfill."""

from common.context import Context
from common.jobs.models import JobTask
from common.warehouse import backfill
from triggers import task


@task.handler(
    dispatches_per_second=1,
    concurrent_dispatches=5,
    timeout=1800,
    memory=512,
    needs={
        "firestore:write": "reads the documents, keeps the job's progress, marks merges and scans as due",
        "bigquery:write": "appends the documents to the log",
        "storage:write": "keeps the list of documents that do not fit their table",
        "redis:use": "drops cached answers that were computed in the warehouse",
        "tasks:enqueue:platform-backfill-run": "goes on in a follow-up task when the time is over",
    },
)
def backfill_run(body: JobTask, context: Context) -> None:
    """Go on where the last run stopped, until every document is in the log."""
    backfill.run(context, body)
