"""Run a clustering of keywords."""

from common.aso.clusters import run
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
        "firestore:write": "Reads keywords, and writes clusters and the job's progress.",
        "storage:write": "Keeps the plan until it is carried out.",
        "tasks:enqueue:aso-keyword-cluster-run": "Goes on in a follow-up task near the end of its time.",
    },
)
def keyword_cluster_run(body: JobTask, context: Context) -> None:
    """Find the clusters of a tenant's keywords, and write what changed, from the job's last checkpoint on."""
    run_job(context, body, run.run)
