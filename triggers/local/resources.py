"""Creates what the manifest and the entities ask for and no gateway creates: buckets, data sets, queues."""

from __future__ import annotations

from google.api_core.exceptions import Conflict
from google.cloud.tasks_v2 import types

from common.clients.bigquery import bigquery_client
from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.registry import entities
from triggers.local.functions import LocalFunction, Task, declared
from triggers.local.tasks import Queues


def fixed_datasets() -> list[str]:
    """Return the data sets that belong to no tenant; those of tenants are made when a tenant is."""
    tables = [entity.table for entity in entities().values() if entity.table is not None]
    return sorted({table.dataset for table in tables if "{tenant_id}" not in table.dataset})


def domains() -> list[str]:
    """Return the domains that publish events."""
    return sorted({entity.domain for entity in entities().values()})


def create_storage(clients: Clients) -> None:
    """Create the buckets and the fixed data sets, where they do not exist yet."""
    storage = clients.get(storage_client)
    settings = clients.settings
    for name in (settings.content_bucket, settings.report_bucket, settings.audit_bucket):
        try:
            storage.create_bucket(name)
        except Conflict:
            continue
    for dataset in fixed_datasets():
        clients.get(bigquery_client).create_dataset(dataset, exists_ok=True)


def create_queues(queues: Queues, functions: list[LocalFunction], project: str, region: str) -> None:
    """Create or update the queue of every task function."""
    parent = f"projects/{project}/locations/{region}"
    for function, declaration in declared(functions, Task):
        queue = {
            "name": f"{parent}/queues/{function.name}",
            "rate_limits": {
                "max_dispatches_per_second": declaration.dispatches_per_second,
                "max_concurrent_dispatches": declaration.concurrent_dispatches,
            },
            "retry_config": {
                "max_attempts": declaration.retry.attempts,
                "min_backoff": {"seconds": declaration.retry.minimum},
                "max_backoff": {"seconds": declaration.retry.maximum},
            },
        }
        queues.update_queue(types.UpdateQueueRequest(queue=queue))
