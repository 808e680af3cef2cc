"""Run the link audit of a hub."""

from common.aso.pages import link_audit
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
        "firestore:write": "Reads the hub with its spokes and keeps the audit.",
        "storage:write": "Looks whether the job has rows that were refused.",
        "tasks:enqueue:aso-link-audit-run": "Goes on in a follow-up task near the end of its time.",
    },
)
def link_audit_run(body: JobTask, context: Context) -> None:
    """Fetch the pages of a job's hub from its last checkpoint on, and keep what they link to."""
    run_job(context, body, link_audit.run)
