"""A tenant's data sets in the warehouse, as the declarations name them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from google.api_core import exceptions

from common.clients.bigquery import bigquery_client
from common.context import Context
from common.registry import entities, facts
from common.warehouse.calls import DEPENDENCY, calling

AT_ONCE = 8
PATIENCE = 60.0


class Tables:
    """Tables with their rows; a data set without any counts as one table without rows, called after itself."""

    def count(self, context: Context) -> Mapping[str, int]:
        """Return the number of rows by table, those that are empty included: they are the tenant's as well."""
        client = context.clients.get(bigquery_client)
        tables = [table for dataset in data_sets(context) for table in _tables(context, dataset)]

        def rows(table: Any) -> int:
            found = calling(context, lambda: client.get_table(table.reference, **_bounds(context)))
            return int(found.num_rows or 0)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return dict(zip((table.table_id for table in tables), pool.map(rows, tables), strict=True))

    def erase(self, context: Context, alive: Callable[[], None]) -> None:
        """Delete the data sets with all they hold."""
        for name in data_sets(context):
            calling(context, functools.partial(_delete, context, name))
            alive()


def _delete(context: Context, dataset: str) -> None:
    client = context.clients.get(bigquery_client)
    client.delete_dataset(dataset, delete_contents=True, not_found_ok=True, **_bounds(context))


def data_sets(context: Context) -> list[str]:
    """Return the ids of the tenant's data sets, whether they exist or not."""
    declared = {each.table.dataset for each in entities().values() if each.table is not None}
    declared |= {each.table.dataset for each in facts().values()}
    own = sorted(name.replace("{tenant_id}", context.tenant_id) for name in declared if "{tenant_id}" in name)
    return [f"{context.clients.settings.project}.{name}" for name in own]


def _tables(context: Context, dataset: str) -> list[Any]:
    """Return the tables of a data set, without views; none where there is no data set."""
    client = context.clients.get(bigquery_client)

    def listed() -> list[Any]:
        try:
            return list(client.list_tables(dataset, page_size=1000, **_bounds(context)))
        except exceptions.NotFound:
            return []

    return [table for table in calling(context, listed) if table.table_type == "TABLE"]


def _bounds(context: Context) -> dict[str, Any]:
    return {"timeout": context.deadline.timeout(PATIENCE, DEPENDENCY), "retry": None}
