"""Work for later: tasks of Cloud Tasks, each for one function, in the queue that carries the function's name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.cloud import tasks_v2
from google.protobuf import duration_pb2, timestamp_pb2

from common.clients.tasks import tasks_client
from common.context import Context
from common.errors import ConfigurationError, Unavailable
from common.identifiers import uuid7
from common.model import Model
from common.propagation import handed_on

NAME = re.compile(r"[A-Za-z0-9_-]{1,500}")
MAX_BODY = 1_000_000
"""Bytes; Cloud Tasks takes tasks of 1 MiB, headers included."""

PATIENCE = 10.0
TRANSIENT = (
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.RetryError,
    exceptions.Aborted,
)


def enqueue(
    context: Context,
    function: str,
    body: Model,
    *,
    name: str | None = None,
    delay: float = 0,
    dispatch_deadline: int = 600,
) -> str:
    """Create a task; return its short name.

    Args:
        context: Whose work it is; tenant, correlation and trace travel with the task.
        function: Name of the function that does the work.
        body: What to do.
        name: Makes the task unique: creating a second one of the name changes nothing, also for about an hour after
            the first one ended. None gives it a random name.
        delay: Seconds before it is due.
        dispatch_deadline: Seconds an attempt may take, 15 to 1800.

    Raises:
        Unavailable: Cloud Tasks does not answer.
        ConfigurationError: The queue does not exist, or the deployment names no address of functions.
    """
    headers = {"Content-Type": "application/json"}
    content = body.model_dump_json(by_alias=True).encode()
    return post_later(
        context,
        function,
        content,
        headers=headers,
        name=name,
        delay=delay,
        dispatch_deadline=dispatch_deadline,
    )


def post_later(
    context: Context,
    function: str,
    content: bytes,
    *,
    headers: Mapping[str, str],
    queue: str | None = None,
    name: str | None = None,
    delay: float = 0,
    dispatch_deadline: int = 600,
) -> str:
    """Create a task that posts ``content`` to a function as its invoker; see ``enqueue``.

    Args:
        context: Whose work it is.
        function: Name of the function.
        content: The body.
        headers: Headers of the body; those of ``common.propagation`` are added where they are missing.
        queue: Queue of another function; None for the function's own.
        name: As in ``enqueue``.
        delay: Seconds before it is due.
        dispatch_deadline: Seconds an attempt may take.
    """
    short = name or str(uuid7())
    if not NAME.fullmatch(short):
        raise ValueError(f"{short!r} cannot name a task")
    if len(content) > MAX_BODY:
        raise ValueError(f"a task of {len(content)} bytes; {MAX_BODY} is the limit")
    settings = context.clients.settings
    parent = f"projects/{settings.project}/locations/{settings.region}/queues/{queue or function}"
    task: dict[str, Any] = {
        "name": f"{parent}/tasks/{short}",
        "dispatch_deadline": duration_pb2.Duration(seconds=dispatch_deadline),
        "http_request": {
            "http_method": tasks_v2.HttpMethod.POST,
            "url": function_url(context, function),
            "headers": {**headers, **_missing(handed_on(context), headers)},
            "body": content,
            "oidc_token": {
                "service_account_email": settings.invoker_of(function),
                "audience": function_url(context, function),
            },
        },
    }
    if delay > 0:
        due = timestamp_pb2.Timestamp()
        due.FromDatetime((datetime.now(UTC) + timedelta(seconds=delay)).replace(tzinfo=None))
        task["schedule_time"] = due
    _create(context, parent, task)
    return short


def function_url(context: Context, function: str) -> str:
    """Return the address of a function.

    Raises:
        ConfigurationError: The deployment names none.
    """
    settings = context.clients.settings
    if not settings.function_url or not settings.invoker:
        raise ConfigurationError("XYNERGY_FUNCTION_URL and XYNERGY_INVOKER are needed to create tasks")
    return settings.function_url.replace("{function}", function)


def _missing(headers: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return those headers that are not given already, whatever their case."""
    names = {name.lower() for name in given}
    return {name: value for name, value in headers.items() if name.lower() not in names}


def _create(context: Context, parent: str, task: dict[str, Any]) -> None:
    """Create the task; it has a name, so asking again is harmless."""
    timeout = context.deadline.timeout(PATIENCE, "tasks")
    retry = Retry(predicate=if_exception_type(*TRANSIENT), initial=0.1, maximum=1.0, timeout=timeout)
    client = context.clients.get(tasks_client)
    try:
        client.create_task(request={"parent": parent, "task": task}, timeout=timeout, retry=retry)
    except exceptions.AlreadyExists:
        return
    except exceptions.NotFound as error:
        raise ConfigurationError(f"there is no queue {parent}") from error
    except TRANSIENT as error:
        raise Unavailable("tasks", f"Cloud Tasks does not answer ({type(error).__name__})") from error
