"""Run the audit of a site."""

from common.aso.pages import site_audit
from common.context import Context
from common.jobs.models import JobTask
from common.jobs.run import run_job
from triggers import task


@task.handler(
    timeout=1800,
    memory=2048,
    concurrency=1,
    concurrent_dispatches=5,
    needs={
        "firestore:write": "Compares with the published pieces and keeps the audit.",
        "storage:write": "Looks whether the job has rows that were refused.",
        "tasks:enqueue:aso-site-audit-run": "Goes on in a follow-up task after a dependency was away.",
    },
)
def site_audit_run(body: JobTask, context: Context) -> None:
    """Fetch robots.txt and sitemaps of a job's site, and keep what is found."""
    run_job(context, body, site_audit.run)
