"""Every ten minutes, start jobs again that nobody works on any more."""

from common.context import Context
from common.jobs import sweep
from triggers import schedule


@schedule.cron(
    "*/10 * * * *",
    needs={
        "firestore:write": "Finds the jobs that give no sign of life, and notes what became of them.",
        "tasks:enqueue:*": "Starts the function that a job names.",
    },
    timeout=300,
    max_instances=1,
)
def job_sweep(context: Context) -> None:
    """Start lost jobs again, and fail those that were started often enough; who is at work is left alone."""
    sweep.sweep(context)
