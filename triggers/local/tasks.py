"""A Cloud Tasks server: the library's own types over gRPC, so that the real client talks to it unchanged.

No official emulator exists. Dispatch rate, concurrency, schedule, names and their tombstones, retries with doublings,
deadline, OIDC token and headers are as in production; queues and tasks can be kept in a file between runs.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from google.cloud.tasks_v2 import types
from google.protobuf.empty_pb2 import Empty

from common.service_identity import mint_local_token
from triggers.local.deliveries import Call, Delivery, Dispatcher, Policy
from triggers.local.processes import LOOPBACK

SERVICE = "google.cloud.tasks.v2.CloudTasks"
TOMBSTONE = 3600.0
"""Seconds for which the name of a finished or deleted task cannot be used again."""

HORIZON = timedelta(days=30)
TASK_NAME = re.compile(r"(projects/[^/]+/locations/[^/]+/queues/[^/]+)/tasks/([A-Za-z0-9_-]{1,500})")
QUEUE_NAME = re.compile(r"projects/([^/]+)/locations/[^/]+/queues/([A-Za-z0-9-]{1,100})")
MAXIMUM_BYTES = 1_048_576
DEADLINE_DEFAULT, DEADLINE_MINIMUM, DEADLINE_MAXIMUM = 600.0, 15.0, 1800.0


class Refused(Exception):
    """A call that is answered with an error status."""

    def __init__(self, code: grpc.StatusCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass
class _Queue:
    proto: types.Queue
    tasks: dict[str, types.Task] = field(default_factory=dict)


class Queues:
    """Queues and tasks, without the wire: every public method is one call of the interface."""

    def __init__(self, dispatcher: Dispatcher, *, project: str = "", retry_scale: float = 1.0) -> None:
        """Begin without queues.

        Args:
            dispatcher: Makes the calls.
            project: Project whose queues share the limits and switches of the function they are named after.
            retry_scale: Factor of the waits between tries.
        """
        self._dispatcher = dispatcher
        self._project = project
        self._scale = retry_scale
        self._queues: dict[str, _Queue] = {}
        self._gone: dict[str, float] = {}
        self._lock = threading.RLock()
        self.changed = False

    def create_queue(self, request: types.CreateQueueRequest) -> types.Queue:
        """Create a queue."""
        match = QUEUE_NAME.fullmatch(request.queue.name)
        if match is None or not request.queue.name.startswith(f"{request.parent}/queues/"):
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"{request.queue.name!r} is not a queue of the parent")
        with self._lock:
            if request.queue.name in self._queues:
                raise Refused(grpc.StatusCode.ALREADY_EXISTS, "Queue already exists")
            queue = self._with_defaults(request.queue)
            self._queues[queue.name] = _Queue(queue)
            self._apply(queue)
        return queue

    def update_queue(self, request: types.UpdateQueueRequest) -> types.Queue:
        """Replace a queue's limits, or create it."""
        with self._lock:
            known = self._queues.setdefault(request.queue.name, _Queue(request.queue))
            known.proto = self._with_defaults(request.queue)
            self._apply(known.proto)
            return known.proto

    def get_queue(self, request: types.GetQueueRequest) -> types.Queue:
        """Return a queue."""
        return self._queue(request.name).proto

    def list_queues(self, request: types.ListQueuesRequest) -> types.ListQueuesResponse:
        """Return the queues of a location."""
        with self._lock:
            names = sorted(name for name in self._queues if name.startswith(f"{request.parent}/queues/"))
            return types.ListQueuesResponse(queues=[self._queues[name].proto for name in names])

    def delete_queue(self, request: types.DeleteQueueRequest) -> Empty:
        """Delete a queue and its tasks."""
        with self._lock:
            self._queue(request.name)
            self._dispatcher.withdraw(self._lane(request.name), lambda _delivery: True)
            del self._queues[request.name]
            self.changed = True
        return Empty()

    def purge_queue(self, request: types.PurgeQueueRequest) -> types.Queue:
        """Delete every task of a queue."""
        with self._lock:
            queue = self._queue(request.name)
            self._dispatcher.withdraw(self._lane(request.name), lambda _delivery: True)
            for name in list(queue.tasks):
                self._forget(queue, name)
            return queue.proto

    def pause_queue(self, request: types.PauseQueueRequest) -> types.Queue:
        """Dispatch nothing of a queue any more."""
        return self._switch(request.name, types.Queue.State.PAUSED)

    def resume_queue(self, request: types.ResumeQueueRequest) -> types.Queue:
        """Dispatch again."""
        return self._switch(request.name, types.Queue.State.RUNNING)

    def create_task(self, request: types.CreateTaskRequest) -> types.Task:
        """Take a task; a name that is taken, or was an hour ago, is refused."""
        with self._lock:
            queue = self._queue(request.parent)
            task = types.Task(request.task)
            self._check(task, request.parent)
            now = datetime.now(UTC)
            task.name = task.name or f"{request.parent}/tasks/{secrets.randbelow(10**19):019d}"
            task.create_time = now
            if not task.schedule_time or task.schedule_time < now:
                task.schedule_time = now
            queue.tasks[task.name] = task
            self.changed = True
            self._submit(queue, task, (task.schedule_time - now).total_seconds())
            return task

    def get_task(self, request: types.GetTaskRequest) -> types.Task:
        """Return a task."""
        return self._task(request.name)[1]

    def list_tasks(self, request: types.ListTasksRequest) -> types.ListTasksResponse:
        """Return the tasks of a queue."""
        with self._lock:
            return types.ListTasksResponse(tasks=list(self._queue(request.parent).tasks.values()))

    def delete_task(self, request: types.DeleteTaskRequest) -> Empty:
        """Delete a task; one that is being dispatched finishes its try."""
        with self._lock:
            queue, _ = self._task(request.name)
            self._dispatcher.withdraw(self._lane(queue.proto.name), lambda found: found.identity == request.name)
            self._forget(queue, request.name)
        return Empty()

    def run_task(self, request: types.RunTaskRequest) -> types.Task:
        """Dispatch a task now, even where its queue is paused."""
        with self._lock:
            queue, task = self._task(request.name)
            lane = self._lane(queue.proto.name)
            for delivery in self._dispatcher.withdraw(lane, lambda found: found.identity == request.name):
                delivery.function = f"{lane} (by hand)"
                self._dispatcher.submit(delivery)
            return task

    def dump(self) -> str:
        """Return everything as JSON text."""
        with self._lock:
            self.changed = False
            return json.dumps(
                [
                    {
                        "queue": types.Queue.to_dict(queue.proto),
                        "tasks": [types.Task.to_json(task) for task in queue.tasks.values()],
                    }
                    for queue in self._queues.values()
                ]
            )

    def load(self, text: str) -> None:
        """Take up what ``dump`` returned; tries made before do not count any more."""
        with self._lock:
            for record in json.loads(text):
                proto = types.Queue(record["queue"])
                queue = self._queues.setdefault(proto.name, _Queue(proto))
                for task_text in record["tasks"]:
                    task = types.Task.from_json(task_text)
                    queue.tasks[task.name] = task
                    due = (task.schedule_time - datetime.now(UTC)).total_seconds()
                    self._submit(queue, task, max(0.0, due))

    def summary(self) -> dict[str, dict[str, Any]]:
        """Return for each queue its state and its waiting tasks, for people."""
        with self._lock:
            return {
                name: {
                    "state": types.Queue.State(queue.proto.state).name,
                    "tasks": [
                        {
                            "name": task.name.rpartition("/")[2],
                            "url": task.http_request.url,
                            "schedule_time": task.schedule_time.isoformat(),
                            "attempts": task.dispatch_count,
                        }
                        for task in queue.tasks.values()
                    ],
                }
                for name, queue in sorted(self._queues.items())
            }

    def _queue(self, name: str) -> _Queue:
        with self._lock:
            if name not in self._queues:
                raise Refused(grpc.StatusCode.NOT_FOUND, f"Queue does not exist: {name}")
            return self._queues[name]

    def _task(self, name: str) -> tuple[_Queue, types.Task]:
        match = TASK_NAME.fullmatch(name)
        if match is None:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, f"{name!r} is not the name of a task")
        with self._lock:
            queue = self._queue(match[1])
            if name not in queue.tasks:
                raise Refused(grpc.StatusCode.NOT_FOUND, "The task does not exist (any more)")
            return queue, queue.tasks[name]

    def _lane(self, queue: str) -> str:
        match = QUEUE_NAME.fullmatch(queue)
        return match[2] if match and match[1] == self._project else queue

    @staticmethod
    def _with_defaults(asked: types.Queue) -> types.Queue:
        queue = types.Queue(asked)
        limits, retry = queue.rate_limits, queue.retry_config
        limits.max_dispatches_per_second = limits.max_dispatches_per_second or 500.0
        limits.max_concurrent_dispatches = limits.max_concurrent_dispatches or 1000
        limits.max_burst_size = max(1, round(limits.max_dispatches_per_second / 5))
        retry.max_attempts = retry.max_attempts or 100
        retry.min_backoff = retry.min_backoff or timedelta(seconds=0.1)
        retry.max_backoff = retry.max_backoff or timedelta(seconds=3600)
        retry.max_doublings = retry.max_doublings or 16
        queue.state = types.Queue.State.RUNNING
        return queue

    def _apply(self, queue: types.Queue) -> None:
        self._dispatcher.lane(
            self._lane(queue.name),
            concurrency=queue.rate_limits.max_concurrent_dispatches,
            rate=queue.rate_limits.max_dispatches_per_second,
            burst=queue.rate_limits.max_burst_size,
        )
        self.changed = True

    def _switch(self, name: str, state: types.Queue.State) -> types.Queue:
        with self._lock:
            queue = self._queue(name).proto
            queue.state = state
            self.changed = True
        if state == types.Queue.State.PAUSED:
            self._dispatcher.pause(self._lane(name))
        else:
            self._dispatcher.resume(self._lane(name))
        return queue

    def _check(self, task: types.Task, parent: str) -> None:
        invalid = grpc.StatusCode.INVALID_ARGUMENT
        if not task.http_request.url:
            raise Refused(invalid, "Only tasks with an HTTP target are taken here")
        if task.name:
            match = TASK_NAME.fullmatch(task.name)
            if match is None or match[1] != parent:
                raise Refused(invalid, f"{task.name!r} is not the name of a task of this queue")
            known = task.name in self._queues[parent].tasks
            if known or self._gone.get(task.name, 0.0) > time.monotonic():
                raise Refused(grpc.StatusCode.ALREADY_EXISTS, "A task of this name exists, or existed recently")
        if len(types.Task.serialize(task)) > MAXIMUM_BYTES:
            raise Refused(invalid, f"Task size too large; at most {MAXIMUM_BYTES} bytes")
        if task.schedule_time and task.schedule_time > datetime.now(UTC) + HORIZON:
            raise Refused(invalid, "schedule_time is more than 30 days away")
        deadline = task.dispatch_deadline.total_seconds() if task.dispatch_deadline else DEADLINE_DEFAULT
        if not DEADLINE_MINIMUM <= deadline <= DEADLINE_MAXIMUM:
            raise Refused(invalid, "dispatch_deadline must be between 15 seconds and 30 minutes")

    def _submit(self, queue: _Queue, task: types.Task, delay: float) -> None:
        retry = queue.proto.retry_config
        lifetime = retry.max_retry_duration.total_seconds() if retry.max_retry_duration else 0.0
        policy = Policy(
            minimum=retry.min_backoff.total_seconds(),
            maximum=retry.max_backoff.total_seconds(),
            attempts=None if retry.max_attempts < 0 else retry.max_attempts,
            lifetime=lifetime * self._scale or float("inf"),
            doublings=retry.max_doublings,
        ).scaled(self._scale)
        seconds = task.dispatch_deadline.total_seconds() if task.dispatch_deadline else DEADLINE_DEFAULT

        def compose(delivery: Delivery) -> Call:
            task.dispatch_count = delivery.attempt
            return _call(task, delivery)

        def settle(_delivered: bool) -> None:
            with self._lock:
                self._forget(queue, task.name)

        self._dispatcher.submit(
            Delivery(
                function=self._lane(queue.proto.name),
                kind="task",
                identity=task.name,
                compose=compose,
                policy=policy,
                timeout=seconds,
                settle=settle,
            ),
            delay,
        )

    def _forget(self, queue: _Queue, name: str) -> None:
        if queue.tasks.pop(name, None) is not None:
            now = time.monotonic()
            self._gone = {gone: until for gone, until in self._gone.items() if until > now}
            self._gone[name] = now + TOMBSTONE
            self.changed = True


def _call(task: types.Task, delivery: Delivery) -> Call:
    target = task.http_request
    headers = {name.lower(): value for name, value in target.headers.items()}
    headers.setdefault("content-type", "application/octet-stream")
    headers["user-agent"] = "Google-Cloud-Tasks"
    queue, _, name = task.name.rpartition("/tasks/")
    headers["x-cloudtasks-queuename"] = queue.rpartition("/")[2]
    headers["x-cloudtasks-taskname"] = name
    headers["x-cloudtasks-taskretrycount"] = str(delivery.failures)
    headers["x-cloudtasks-taskexecutioncount"] = str(delivery.answered)
    headers["x-cloudtasks-tasketa"] = f"{task.schedule_time.timestamp():.6f}"
    if delivery.previous is not None:
        headers["x-cloudtasks-taskpreviousresponse"] = str(delivery.previous)
    if target.oidc_token.service_account_email:
        token = mint_local_token(target.oidc_token.service_account_email, target.oidc_token.audience or target.url)
        headers["authorization"] = f"Bearer {token}"
    method = types.HttpMethod(target.http_method or types.HttpMethod.POST).name
    return Call(url=target.url, headers=headers, body=bytes(target.body), method=method)


class TaskServer:
    """``Queues`` on a port.

    Attributes:
        queues: The queues.
        port: Port of the gRPC server.
    """

    def __init__(self, queues: Queues, port: int, keep: Path | None = None) -> None:
        """Prepare the server.

        Args:
            queues: The queues.
            port: Port to listen on.
            keep: File that holds queues and tasks between runs; None forgets them.
        """
        self.queues = queues
        self.port = port
        self._keep = keep
        self._stop = threading.Event()
        self._saver = threading.Thread(target=self._save_changes, name="task-saver", daemon=True)
        self._server = grpc.server(
            ThreadPoolExecutor(8, thread_name_prefix="tasks"), options=[("grpc.so_reuseport", 0)]
        )
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, self._handlers()),))
        self._server.add_insecure_port(f"{LOOPBACK}:{port}")

    def start(self) -> None:
        """Serve, with what an earlier run left."""
        if self._keep is not None and self._keep.exists():
            self.queues.load(self._keep.read_text(encoding="utf-8"))
        self._server.start()
        self._saver.start()

    def stop(self) -> None:
        """End, keeping what is left if asked."""
        self._stop.set()
        self._saver.join()
        self._server.stop(0.2).wait()
        self._save()

    def _save_changes(self) -> None:
        while not self._stop.wait(1.0):
            if self.queues.changed:
                self._save()

    def _save(self) -> None:
        if self._keep is not None:
            partial = self._keep.with_suffix(".partial")
            partial.write_text(self.queues.dump(), encoding="utf-8")
            partial.replace(self._keep)

    def _handlers(self) -> dict[str, Any]:
        queues = self.queues
        calls: list[tuple[str, Any, Callable[[Any], Any]]] = [
            ("CreateQueue", types.CreateQueueRequest, queues.create_queue),
            ("UpdateQueue", types.UpdateQueueRequest, queues.update_queue),
            ("GetQueue", types.GetQueueRequest, queues.get_queue),
            ("ListQueues", types.ListQueuesRequest, queues.list_queues),
            ("DeleteQueue", types.DeleteQueueRequest, queues.delete_queue),
            ("PurgeQueue", types.PurgeQueueRequest, queues.purge_queue),
            ("PauseQueue", types.PauseQueueRequest, queues.pause_queue),
            ("ResumeQueue", types.ResumeQueueRequest, queues.resume_queue),
            ("CreateTask", types.CreateTaskRequest, queues.create_task),
            ("GetTask", types.GetTaskRequest, queues.get_task),
            ("ListTasks", types.ListTasksRequest, queues.list_tasks),
            ("DeleteTask", types.DeleteTaskRequest, queues.delete_task),
            ("RunTask", types.RunTaskRequest, queues.run_task),
        ]
        return {name: _handler(request, call) for name, request, call in calls}


def _handler(request_type: Any, call: Callable[[Any], Any]) -> Any:
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return call(request)
        except Refused as refused:
            return context.abort(refused.code, str(refused))

    def serialize(response: Any) -> bytes:
        return bytes(
            response.SerializeToString() if isinstance(response, Empty) else type(response).serialize(response)
        )

    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=request_type.deserialize, response_serializer=serialize
    )
