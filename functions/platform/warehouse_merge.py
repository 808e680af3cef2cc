"""Every ten minutes, start a merge of each warehouse table that changed."""

from common.context import Context
from common.warehouse import merge
from triggers import schedule


@schedule.cron(
    "*/10 * * * *",
    needs={
        "firestore:write": "takes the marks of tables that changed",
        "tasks:enqueue:platform-warehouse-merge-table": "gives each table a task of its own",
    },
    timeout=300,
    max_instances=1,
)
def warehouse_merge(context: Context) -> None:
    """Warn of tables that have waited for more than an hour, then create one task per table that is due."""
    merge.fan_out(context)
