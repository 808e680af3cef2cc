"""Queues of Cloud Tasks for tests: paused, so that a test can look at the tasks that were created."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.api_core.exceptions import AlreadyExists

from common.clients.registry import Clients
from common.clients.tasks import tasks_client


def _parent(clients: Clients) -> str:
    return f"projects/{clients.settings.project}/locations/{clients.settings.region}"


def make_queues(clients: Clients, *functions: str) -> None:
    """Create paused queues for functions."""
    client = clients.get(tasks_client)
    for function in functions:
        name = f"{_parent(clients)}/queues/{function}"
        try:
            client.create_queue(parent=_parent(clients), queue={"name": name})
        except AlreadyExists:
            continue
        client.pause_queue(name=name)


def tasks_of(clients: Clients, function: str) -> Sequence[Any]:
    """Return the tasks that wait in a function's queue, in full."""
    request = {"parent": f"{_parent(clients)}/queues/{function}", "response_view": "FULL"}
    return list(clients.get(tasks_client).list_tasks(request=request))
