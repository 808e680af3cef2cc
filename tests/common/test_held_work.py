"""The work of tenants that rest: put aside whole, let go once, and never lost between the two."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from common import held_work, released_work
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import PLATFORM_TENANT, Context
from common.held_work import hold
from common.jobs import service
from common.jobs.entities import JOBS
from common.jobs.sweep import SILENCE, sweep
from common.store import Work, transact
from common.tasks import post_later
from common.technical import HELD_TASKS
from common.tenant_state import LEAVING, RESTING
from common.warehouse import marks
from tests.common.queues import make_queues, tasks_of
from tests.common.things import context_of

FUNCTION = "test-held-run"
HEADERS = {
    "content-type": "application/json",
    "x-correlation-id": "req-1",
    "authorization": "Bearer of the delivery",
    "x-cloudtasks-taskname": "t",
}


@pytest.fixture
def context(clients: Clients) -> Context:
    make_queues(clients, FUNCTION)
    return context_of(clients, f"t{uuid.uuid4().hex[:12]}", seconds=60)


@pytest.fixture
def resting(context: Context) -> Iterator[Context]:
    become(context, "suspended")
    yield context
    become(context, "active")


def become(context: Context, status: str) -> None:
    document = context.clients.get(firestore_client).document(f"tenants/{context.tenant_id}")
    document.set({"tenant_id": context.tenant_id, "status": status})


def held(context: Context) -> list[str]:
    found = context.clients.get(firestore_client).collection(HELD_TASKS.path).stream()
    return [each.id for each in found if each.get("tenant_id") == context.tenant_id]


def made(context: Context) -> list[bytes]:
    """Return the bodies of the tasks that were made anew for a tenant."""
    own = {"X-Tenant-ID": context.tenant_id}
    tasks = tasks_of(context.clients, FUNCTION)
    return [task.http_request.body for task in tasks if own.items() <= dict(task.http_request.headers).items()]


def test_the_work_of_a_tenant_that_rests_is_put_aside_and_made_anew_as_it_was(resting: Context) -> None:
    assert hold(resting, FUNCTION, "one", {**HEADERS, "x-tenant-id": resting.tenant_id}, b"{}")
    assert hold(resting, FUNCTION, "one", {**HEADERS, "x-tenant-id": resting.tenant_id}, b"{}"), "delivered twice"
    assert len(held(resting)) == 1
    become(resting, "active")
    assert released_work.release(resting, resting.tenant_id) == 1
    [task] = [each for each in tasks_of(resting.clients, FUNCTION) if resting.tenant_id in str(each.http_request)]
    headers = {name.lower(): value for name, value in task.http_request.headers.items()}
    assert (task.http_request.body, headers["content-type"], headers["x-correlation-id"]) == (
        b"{}",
        "application/json",
        "req-1",
    )
    assert "of the delivery" not in str(headers)
    assert held(resting) == []
    assert released_work.release(resting, resting.tenant_id) == 0


@pytest.mark.parametrize("status", ["active", "provisioning", "erasing", "deleted"])
def test_nothing_else_is_put_aside(context: Context, status: str) -> None:
    become(context, status)
    assert not hold(context, FUNCTION, "one", HEADERS, b"{}")
    assert held(context) == []


def test_a_release_that_crashed_halfway_makes_no_task_twice(resting: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        hold(resting, FUNCTION, name, {**HEADERS, "x-tenant-id": resting.tenant_id}, name.encode())
    post, calls = post_later, []

    def crashing(*arguments: object, **named: object) -> str:
        calls.append(post(*arguments, **named))  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(released_work, "post_later", crashing)
        with pytest.raises(KeyboardInterrupt):
            released_work.release(resting, resting.tenant_id)
    assert len(calls) == 1
    released_work.release(resting, resting.tenant_id)
    assert sorted(made(resting)) == [b"one", b"two"]


def test_a_task_put_aside_again_while_it_is_let_go_stays(resting: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {**HEADERS, "x-tenant-id": resting.tenant_id}
    hold(resting, FUNCTION, "one", headers, b"one")
    post = post_later

    def arriving(*arguments: object, **named: object) -> str:
        name = post(*arguments, **named)  # type: ignore[arg-type]
        hold(resting, FUNCTION, "one", headers, b"one")
        return name

    with monkeypatch.context() as patch:
        patch.setattr(released_work, "post_later", arriving)
        released_work.release(resting, resting.tenant_id)
    assert len(held(resting)) == 1
    released_work.release(resting, resting.tenant_id)
    assert made(resting) == [b"one", b"one"], "of another name than before, so Cloud Tasks takes it"


def test_resuming_while_tasks_arrive_loses_none(resting: Context) -> None:
    headers = {**HEADERS, "x-tenant-id": resting.tenant_id}
    names = [f"task-{number}" for number in range(4)]

    def arrive(name: str) -> str | None:
        return None if hold(resting, FUNCTION, name, headers, name.encode()) else name

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        arriving = [pool.submit(arrive, name) for name in names]
        become(resting, "active")
        released_work.release(resting, resting.tenant_id)
        ran = [name for each in arriving if (name := each.result()) is not None]
    released_work.release(resting, resting.tenant_id)  # the event is delivered at least once, and after the change
    assert sorted([*ran, *(body.decode() for body in made(resting))]) == names
    assert held(resting) == []


def test_schedules_ask_for_those_who_rest(context: Context) -> None:
    for status in (*RESTING, *LEAVING):
        become(context, status)
        assert context.tenant_id in held_work.resting(context)
    become(context, "active")
    assert context.tenant_id not in held_work.resting(context)


def test_marks_of_a_tenant_that_rests_stay_due_and_take_nobodys_place(
    resting: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    purpose = f"scan-{uuid.uuid4().hex[:8]}"
    working = context_of(resting.clients, f"z{uuid.uuid4().hex[:12]}")
    for subject in ("a", "b", "c"):
        marks.set_marks(resting, resting.tenant_id, [(purpose, subject)])
    marks.set_marks(working, working.tenant_id, [(purpose, "a")])
    monkeypatch.setattr(marks, "AT_ONCE", 2)
    assert [mark.tenant_id for mark in marks.due(resting, purpose)] == [working.tenant_id]
    later = datetime.now(UTC) + timedelta(hours=2)
    lagging = marks.lagging(resting, purpose, timedelta(hours=1), now=later)
    assert [mark.tenant_id for mark in lagging] == [working.tenant_id]
    become(resting, "active")
    monkeypatch.undo()
    assert len(marks.due(resting, purpose)) == 4


def test_the_job_of_a_tenant_that_rests_is_not_lost(resting: Context) -> None:
    def start(unit: Work) -> str:
        return str(service.start_job(unit, type="test", function=FUNCTION).job_id)

    job_id = transact(resting, start)
    platform = dataclasses.replace(resting, tenant_id=PLATFORM_TENANT)
    later = datetime.now(UTC) + 20 * SILENCE
    sweep(platform, later)
    document = resting.clients.get(firestore_client).document(f"{JOBS.collection}/{job_id}")
    assert document.get().get("attempts") == 0
    become(resting, "active")
    sweep(platform, later)
    assert document.get().get("attempts") == 1
