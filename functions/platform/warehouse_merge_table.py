"""Merge what arrived in one tenant's log into the current table."""

from common.context import Context
from common.warehouse import merge
from common.warehouse.merge import MergeTable
from triggers import task


@task.handler(
    dispatches_per_second=5,
    concurrent_dispatches=20,
    timeout=600,
    needs={
        "bigquery:write": "merges the log into the current table",
        "firestore:write": "ends the claim on the table's mark",
    },
)
def warehouse_merge_table(body: MergeTable, context: Context) -> None:
    """Run one bounded, repeatable MERGE."""
    merge.merge_claimed(context, body)
