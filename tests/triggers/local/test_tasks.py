"""The Cloud Tasks server against the real client."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.api_core import exceptions
from google.cloud import tasks_v2

from common.clients.registry import Clients
from common.clients.tasks import tasks_client
from common.service_identity import verify_invoker
from common.settings import Settings
from tests.stack import wait_for
from tests.triggers.local.receiver import Received, Receiver, receiving
from triggers.local.deliveries import Dispatcher
from triggers.local.processes import free_port
from triggers.local.tasks import Queues, TaskServer

LOCATION = "projects/demo-tasks/locations/us-central1"
QUEUE = f"{LOCATION}/queues/aso-scan"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def dispatcher() -> Iterator[Dispatcher]:
    running = Dispatcher(threads=32)
    yield running
    running.close()


@pytest.fixture
def server(dispatcher: Dispatcher) -> Iterator[TaskServer]:
    running = TaskServer(Queues(dispatcher), free_port())
    running.start()
    yield running
    running.stop()


def client_of(server: TaskServer) -> tasks_v2.CloudTasksClient:
    host = f"127.0.0.1:{server.port}"
    settings = Settings(environment="local", project="demo-tasks", emulators=(("CLOUD_TASKS_EMULATOR_HOST", host),))
    return Clients(settings).get(tasks_client)


@pytest.fixture
def client(server: TaskServer) -> tasks_v2.CloudTasksClient:
    client = client_of(server)
    client.create_queue(parent=LOCATION, queue={"name": QUEUE})
    return client


def task(receiver: Receiver, name: str = "", **fields: object) -> tasks_v2.Task:
    request = {"url": f"{receiver.url}/aso-scan", "body": b"{}", "headers": {"Content-Type": "application/json"}}
    return tasks_v2.Task(name=f"{QUEUE}/tasks/{name}" if name else "", http_request=request, **fields)


def test_a_task_arrives_with_the_headers_of_production(client: tasks_v2.CloudTasksClient, receiver: Receiver) -> None:
    made = task(receiver, "job-1")
    made.http_request.oidc_token.service_account_email = "aso-scan@demo-tasks.iam.gserviceaccount.com"
    made.http_request.oidc_token.audience = f"{receiver.url}/aso-scan"
    client.create_task(parent=QUEUE, task=made)
    [got] = wait_for(lambda: receiver.requests)
    assert got.path == "/aso-scan"
    assert got.body == b"{}"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-cloudtasks-queuename"] == "aso-scan"
    assert got.headers["x-cloudtasks-taskname"] == "job-1"
    assert got.headers["x-cloudtasks-taskretrycount"] == "0"
    assert got.headers["x-cloudtasks-taskexecutioncount"] == "0"
    assert abs(float(got.headers["x-cloudtasks-tasketa"]) - datetime.now(UTC).timestamp()) < 60
    settings = Settings(
        environment="local",
        project="demo-tasks",
        function_url=receiver.url + "/{function}",
        invoker="{function}@demo-tasks.iam.gserviceaccount.com",
    )
    authorization = {"Authorization": got.headers["authorization"]}
    assert verify_invoker(settings, authorization, "aso-scan").kind == "service"


def test_a_name_is_taken_once_even_after_the_task_is_done(
    client: tasks_v2.CloudTasksClient, receiver: Receiver
) -> None:
    client.create_task(parent=QUEUE, task=task(receiver, "job-2"))
    wait_for(lambda: receiver.requests and not list(client.list_tasks(parent=QUEUE)))
    with pytest.raises(exceptions.AlreadyExists):
        client.create_task(parent=QUEUE, task=task(receiver, "job-2"))
    assert len(receiver.requests) == 1


def test_two_creations_at_once_make_one_task(client: tasks_v2.CloudTasksClient, receiver: Receiver) -> None:
    outcomes: list[str] = []

    def create() -> None:
        try:
            client.create_task(parent=QUEUE, task=task(receiver, "job-3"))
            outcomes.append("created")
        except exceptions.AlreadyExists:
            outcomes.append("exists")

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["created"] + ["exists"] * 7


def test_a_failing_task_is_retried_with_doubling_waits_then_dropped(server: TaskServer, receiver: Receiver) -> None:
    client = client_of(server)
    retry = {"max_attempts": 4, "min_backoff": {"nanos": 100_000_000}, "max_backoff": {"seconds": 5}}
    client.create_queue(parent=LOCATION, queue={"name": QUEUE, "retry_config": {**retry, "max_doublings": 3}})
    receiver.answer = lambda _request: 500
    client.create_task(parent=QUEUE, task=task(receiver, "job-4"))
    wait_for(lambda: len(receiver.requests) == 4 and not list(client.list_tasks(parent=QUEUE)))
    assert [got.headers["x-cloudtasks-taskretrycount"] for got in receiver.requests] == ["0", "1", "2", "3"]
    assert [got.headers.get("x-cloudtasks-taskpreviousresponse") for got in receiver.requests] == [
        None, "500", "500", "500",
    ]  # fmt: skip
    gaps = [after.at - before.at for before, after in itertools.pairwise(receiver.requests)]
    assert all(gap >= due for gap, due in zip(gaps, (0.1, 0.2, 0.4), strict=True))


def test_a_task_waits_for_its_time_and_can_be_run_by_hand(
    client: tasks_v2.CloudTasksClient, receiver: Receiver
) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    client.create_task(parent=QUEUE, task=task(receiver, "job-5", schedule_time=later))
    assert client.get_task(name=f"{QUEUE}/tasks/job-5").schedule_time == later
    client.create_task(parent=QUEUE, task=task(receiver, "job-6"))
    wait_for(lambda: len(receiver.requests) == 1)
    assert receiver.requests[0].headers["x-cloudtasks-taskname"] == "job-6"
    client.run_task(name=f"{QUEUE}/tasks/job-5")
    wait_for(lambda: len(receiver.requests) == 2)


def test_a_paused_queue_holds_its_tasks(client: tasks_v2.CloudTasksClient, receiver: Receiver) -> None:
    client.pause_queue(name=QUEUE)
    client.create_task(parent=QUEUE, task=task(receiver, "job-7"))
    client.create_task(parent=QUEUE, task=task(receiver, "job-8"))
    assert client.get_queue(name=QUEUE).state == tasks_v2.Queue.State.PAUSED
    client.delete_task(name=f"{QUEUE}/tasks/job-7")
    client.resume_queue(name=QUEUE)
    wait_for(lambda: not list(client.list_tasks(parent=QUEUE)))
    assert [got.headers["x-cloudtasks-taskname"] for got in receiver.requests] == ["job-8"]


def test_no_more_than_the_allowed_tasks_run_at_once(server: TaskServer, receiver: Receiver) -> None:
    client = client_of(server)
    limits = {"max_concurrent_dispatches": 3, "max_dispatches_per_second": 500}
    client.create_queue(parent=LOCATION, queue={"name": QUEUE, "rate_limits": limits})
    active, most, gate = 0, 0, threading.Event()

    def answer(_request: Received) -> int:
        nonlocal active, most
        with receiver.lock:
            active += 1
            most = max(most, active)
        gate.wait(10)
        with receiver.lock:
            active -= 1
        return 204

    receiver.answer = answer
    for _ in range(9):
        client.create_task(parent=QUEUE, task=task(receiver))
    wait_for(lambda: active == 3)
    gate.set()
    wait_for(lambda: len(receiver.requests) == 9 and not list(client.list_tasks(parent=QUEUE)))
    assert most == 3


def test_the_rate_is_kept(server: TaskServer, receiver: Receiver) -> None:
    client = client_of(server)
    client.create_queue(parent=LOCATION, queue={"name": QUEUE, "rate_limits": {"max_dispatches_per_second": 20}})
    for _ in range(14):
        client.create_task(parent=QUEUE, task=task(receiver))
    wait_for(lambda: len(receiver.requests) == 14)
    # A burst of 4 goes at once; the other ten need half a second at 20 a second.
    assert receiver.requests[-1].at - receiver.requests[0].at >= 0.45


def test_what_cloud_tasks_refuses_is_refused(client: tasks_v2.CloudTasksClient, receiver: Receiver) -> None:
    with pytest.raises(exceptions.NotFound):
        client.create_task(parent=f"{LOCATION}/queues/none", task=task(receiver))
    with pytest.raises(exceptions.NotFound):
        client.get_task(name=f"{QUEUE}/tasks/none")
    with pytest.raises(exceptions.InvalidArgument):
        client.create_task(parent=QUEUE, task=task(receiver, dispatch_deadline=timedelta(seconds=5)))
    with pytest.raises(exceptions.InvalidArgument):
        client.create_task(parent=QUEUE, task=task(receiver, schedule_time=datetime.now(UTC) + timedelta(days=31)))
    with pytest.raises(exceptions.AlreadyExists):
        client.create_queue(parent=LOCATION, queue={"name": QUEUE})


def test_tasks_survive_a_restart(dispatcher: Dispatcher, receiver: Receiver, tmp_path: Path) -> None:
    first = TaskServer(Queues(dispatcher), free_port(), tmp_path / "tasks.json")
    first.start()
    client = client_of(first)
    client.create_queue(parent=LOCATION, queue={"name": QUEUE})
    client.create_task(parent=QUEUE, task=task(receiver, "job-9", schedule_time=datetime.now(UTC) + timedelta(hours=1)))
    first.stop()
    with_new_dispatcher = Dispatcher(threads=2)
    second = TaskServer(Queues(with_new_dispatcher), free_port(), tmp_path / "tasks.json")
    second.start()
    [kept] = client_of(second).list_tasks(parent=QUEUE)
    assert kept.name == f"{QUEUE}/tasks/job-9"
    assert kept.http_request.body == b"{}"
    client_of(second).run_task(name=kept.name)
    wait_for(lambda: receiver.requests)
    second.stop()
    with_new_dispatcher.close()


def test_purging_empties_the_queue(client: tasks_v2.CloudTasksClient, receiver: Receiver) -> None:
    client.pause_queue(name=QUEUE)
    for number in range(3):
        client.create_task(parent=QUEUE, task=task(receiver, f"p{number}"))
    client.purge_queue(name=QUEUE)
    assert list(client.list_tasks(parent=QUEUE)) == []
    assert [queue.name for queue in client.list_queues(parent=LOCATION)] == [QUEUE]
    assert receiver.requests == []
