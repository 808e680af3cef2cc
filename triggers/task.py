"""Handlers of Cloud Tasks: ``@task.handler()`` with ``body: Model`` and ``delivery: TaskDelivery``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict, TypeVar, Unpack

from pydantic import ValidationError

from common.context import Context
from common.deliveries import TaskDelivery
from common.errors import PoisonEvent
from triggers.binding import bind_event
from triggers.declaration import Retry, Task
from triggers.event_pipeline import Arrival, EventPipeline, Parse, known_tenant
from triggers.holding import task_admission
from triggers.parsers.tasks import parse_task
from triggers.served import Served, function_name, serve

Handler = TypeVar("Handler", bound=Callable[..., Any])


class TaskOptions(TypedDict, total=False):
    """The fields of ``triggers.declaration.Task``."""

    dispatches_per_second: int
    concurrent_dispatches: int
    while_resting: bool
    retry: Retry
    needs: dict[str, str]
    secrets: dict[str, str]
    memory: int
    timeout: int
    concurrency: int
    min_instances: int
    max_instances: int


def handler(**options: Unpack[TaskOptions]) -> Callable[[Handler], Served[Handler]]:
    """Declare the handler of a queue that carries the function's name."""
    declaration = Task(**options)

    def decorate(handler: Handler) -> Served[Handler]:
        name = function_name(handler)
        parameters = bind_event(handler, {TaskDelivery, Context}, body=True)
        parse = _parser(parameters.get("body"))
        pipeline = EventPipeline(handler, name, declaration.timeout, parameters, parse, task_admission(declaration))
        return serve(handler, name, declaration, pipeline)

    return decorate


def _parser(model: Any) -> Parse:
    """Return what parses a task whose body is of a model, or whose handler takes none."""

    def parse(headers: Mapping[str, str], content: bytes) -> Arrival:
        delivery = parse_task(headers)
        arguments: dict[Any, Any] = {TaskDelivery: delivery}
        if model is not None:
            arguments[model] = _body(model, content)
        return Arrival(
            arguments=arguments,
            event_id=delivery.task,
            tenant_id=known_tenant(headers.get("x-tenant-id")),
            correlation_id=headers.get("x-correlation-id"),
            causation_id=headers.get("x-causation-id"),
            attempt=delivery.retry_count + 1,
        )

    return parse


def _body(model: Any, content: bytes) -> Any:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise PoisonEvent("invalid_task_body", f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
