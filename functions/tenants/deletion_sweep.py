"""Every hour, begin the erasures whose grace is over."""

from common.context import Context
from common.tenants.deletion import erasure
from triggers import schedule


@schedule.cron(
    "40 * * * *",
    timeout=300,
    max_instances=1,
    needs={
        "firestore:write": "finds the tenants whose grace is over and takes them past the point of return",
        "tasks:enqueue:tenants-tenant-erase": "gives each tenant a task of its own",
    },
)
def deletion_sweep(context: Context) -> None:
    """Make a task for every tenant whose grace is over, and for every erasure that gave no sign of life."""
    erasure.begin_due(context)
