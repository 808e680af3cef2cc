"""Cloud Scheduler's requests (https://cloud.google.com/scheduler/docs/creating#requests)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from common.deliveries import ScheduledRun
from triggers.parsers.values import moment


def parse_run(headers: Mapping[str, str], function: str) -> ScheduledRun:
    """Return the run of a request; one without ``X-CloudScheduler-ScheduleTime`` was started by hand.

    Args:
        headers: Request headers, names in lower case.
        function: Name of the function, for a run whose request names no job.

    Raises:
        PoisonEvent: The time is none.
    """
    scheduled = moment(headers.get("x-cloudscheduler-scheduletime"))
    return ScheduledRun(
        job=headers.get("x-cloudscheduler-jobname", function).rpartition("/")[2],
        scheduled_time=scheduled or datetime.now(UTC),
        forced=scheduled is None,
    )
