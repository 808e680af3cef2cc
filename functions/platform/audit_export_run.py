"""Run an export of the audit trail."""

from common.context import Context
from common.jobs.models import JobTask
from common.jobs.run import run_job
from common.platform.audit import exporting
from triggers import task


@task.handler(
    timeout=1800,
    memory=1024,
    concurrency=2,
    concurrent_dispatches=5,
    needs={
        "firestore:write": "Reads entries, and writes the job's progress.",
        "storage:write": "Keeps what was read, and writes the file.",
        "tasks:enqueue:platform-audit-export-run": "Goes on in a follow-up task near the end of its time.",
    },
)
def audit_export_run(body: JobTask, context: Context) -> None:
    """Write the file of an export, from the job's last checkpoint on."""
    run_job(context, body, exporting.run)
