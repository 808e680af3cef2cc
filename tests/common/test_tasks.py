"""Tasks on the Cloud Tasks server: address, identity, chain, name, delay."""

from __future__ import annotations

import dataclasses
import json
import time
import uuid

import pytest

from common.clients.registry import Clients
from common.clients.tasks import tasks_client
from common.errors import ConfigurationError, Unavailable
from common.model import CamelModel
from common.tasks import MAX_BODY, enqueue, post_later
from tests.common.queues import make_queues, tasks_of
from tests.common.things import context_of


class Work(CamelModel):
    """Body of a task."""

    row_count: int


def test_a_task_posts_its_body_to_the_function_as_its_invoker_and_hands_on_the_chain(clients: Clients) -> None:
    make_queues(clients, "do-work")
    context = dataclasses.replace(context_of(clients, "acme"), correlation_id="chain")
    name = enqueue(context, "do-work", Work(row_count=3), dispatch_deadline=900)
    [task] = [task for task in tasks_of(clients, "do-work") if task.name.endswith(f"/tasks/{name}")]
    request = task.http_request
    assert request.url == "http://127.0.0.1:9/do-work"
    assert json.loads(request.body) == {"rowCount": 3}
    assert request.oidc_token.service_account_email == f"do-work@{clients.settings.project}.iam.gserviceaccount.com"
    assert request.oidc_token.audience == request.url
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["content-type"] == "application/json"
    assert headers["x-tenant-id"] == "acme"
    assert headers["x-correlation-id"] == "chain"
    assert headers["x-causation-id"] == context.request_id
    assert headers["traceparent"] == context.trace.traceparent
    assert task.dispatch_deadline.total_seconds() == 900


def test_a_name_makes_a_task_unique(clients: Clients) -> None:
    make_queues(clients, "unique-work")
    context = context_of(clients)
    name = f"name-{uuid.uuid4()}"
    for _ in range(3):
        assert enqueue(context, "unique-work", Work(row_count=1), name=name) == name
    enqueue(context, "unique-work", Work(row_count=1))
    enqueue(context, "unique-work", Work(row_count=1))
    assert len(tasks_of(clients, "unique-work")) == 3


def test_a_delay_schedules_the_task(clients: Clients) -> None:
    make_queues(clients, "late-work")
    now = time.time()
    enqueue(context_of(clients), "late-work", Work(row_count=1), delay=600)
    [task] = tasks_of(clients, "late-work")
    assert 590 < task.schedule_time.timestamp() - now < 660


def test_headers_given_are_not_replaced(clients: Clients) -> None:
    make_queues(clients, "posted-work")
    post_later(context_of(clients, "acme"), "posted-work", b"x", headers={"x-tenant-id": "original", "ce-id": "1"})
    [task] = tasks_of(clients, "posted-work")
    tenants = [value for name, value in task.http_request.headers.items() if name.lower() == "x-tenant-id"]
    assert tenants == ["original"]


def test_what_cannot_be_a_task_is_a_mistake(clients: Clients) -> None:
    context = context_of(clients)
    with pytest.raises(ValueError, match="cannot name"):
        enqueue(context, "do-work", Work(row_count=1), name="a/b")
    with pytest.raises(ValueError, match="limit"):
        post_later(context, "do-work", b"x" * (MAX_BODY + 1), headers={})
    with pytest.raises(ConfigurationError, match="no queue"):
        enqueue(context, "nobody-made-this", Work(row_count=1))
    bare = Clients(dataclasses.replace(clients.settings, function_url=""))
    with pytest.raises(ConfigurationError):
        enqueue(context_of(bare), "do-work", Work(row_count=1))


def test_cloud_tasks_being_away_is_said_in_time(clients: Clients) -> None:
    emulators = (("CLOUD_TASKS_EMULATOR_HOST", "127.0.0.1:1"),)
    away = Clients(dataclasses.replace(clients.settings, emulators=emulators))
    assert away.get(tasks_client) is not None
    with pytest.raises(Unavailable) as failure:
        enqueue(context_of(away, seconds=1), "do-work", Work(row_count=1))
    assert failure.value.dependency == "tasks"
