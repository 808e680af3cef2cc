"""Do the work of a synchronisation with Search Console."""

from common.aso.search_console_api import sync
from common.context import Context
from common.jobs.models import JobTask
from common.jobs.run import run_job
from triggers import task


@task.handler(
    timeout=1800,
    memory=1024,
    concurrency=2,
    dispatches_per_second=2,
    concurrent_dispatches=10,
    needs={
        "bigquery:write": "Looks which days are there and stores the rows of the others.",
        "firestore:write": "Keeps the job's progress and counts calls, and marks what the rows make due.",
        "redis:use": "Drops the cached answers that the rows make stale.",
        "storage:write": "Keeps rows that are no figures of a search or page.",
        "tasks:enqueue:aso-search-console-sync-run": "Goes on in a follow-up task when quota or time are used up.",
    },
)
def search_console_sync_run(body: JobTask, context: Context) -> None:
    """Fetch what is missing of a tenant's property, day by day, from the job's last checkpoint on."""
    run_job(context, body, sync.run)
