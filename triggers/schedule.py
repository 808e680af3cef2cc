"""Jobs of Cloud Scheduler: ``@schedule.cron("0 * * * *")`` with ``run: ScheduledRun``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict, TypeVar, Unpack

from common.context import Context
from common.deliveries import ScheduledRun
from triggers.binding import bind_event
from triggers.declaration import Schedule
from triggers.event_pipeline import Arrival, EventPipeline
from triggers.parsers.scheduler import parse_run
from triggers.served import Served, function_name, serve

Handler = TypeVar("Handler", bound=Callable[..., Any])


class ScheduleOptions(TypedDict, total=False):
    """The fields of ``triggers.declaration.Schedule`` besides the expression."""

    time_zone: str
    attempts: int
    needs: dict[str, str]
    secrets: dict[str, str]
    memory: int
    timeout: int
    concurrency: int
    min_instances: int
    max_instances: int


def cron(expression: str, **options: Unpack[ScheduleOptions]) -> Callable[[Handler], Served[Handler]]:
    """Declare a job by a cron expression of five fields."""
    declaration = Schedule(cron=expression, **options)

    def decorate(handler: Handler) -> Served[Handler]:
        name = function_name(handler)

        def parse(headers: Mapping[str, str], _content: bytes) -> Arrival:
            run = parse_run(headers, name)
            return Arrival(arguments={ScheduledRun: run}, event_id=f"{run.job}@{run.scheduled_time.isoformat()}")

        parameters = bind_event(handler, {ScheduledRun, Context}, body=False)
        pipeline = EventPipeline(handler, name, declaration.timeout, parameters, parse)
        return serve(handler, name, declaration, pipeline)

    return decorate
