"""Do the work of a reconciliation."""

from common.context import Context
from common.jobs.models import JobTask
from common.warehouse import reconcile
from triggers import task


@task.handler(
    dispatches_per_second=1,
    concurrent_dispatches=5,
    timeout=1800,
    memory=1024,
    needs={
        "firestore:write": "reads the documents, keeps the job's progress, marks merges and scans as due",
        "bigquery:write": "compares the tables and appends what they miss",
        "storage:read": "looks whether the job kept refused rows",
        "redis:use": "drops cached answers that were computed in the warehouse",
        "tasks:enqueue:platform-reconcile-run": "goes on in a follow-up task when the time is over",
    },
)
def reconcile_run(body: JobTask, context: Context) -> None:
    """Compare entity by entity and day by day, and repair what differs if the job says so."""
    reconcile.run(context, body)
