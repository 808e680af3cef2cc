"""Cloud Tasks' requests (https://cloud.google.com/tasks/docs/creating-http-target-tasks#handler)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from common.deliveries import TaskDelivery
from common.errors import PoisonEvent
from triggers.parsers.values import whole_number

PREFIX = "x-cloudtasks-"
_KNOWN = frozenset({"queuename", "taskname", "taskretrycount", "taskexecutioncount", "tasketa", "taskpreviousresponse"})


def parse_task(headers: Mapping[str, str]) -> TaskDelivery:
    """Return the attempt of a request.

    Args:
        headers: Request headers, names in lower case.

    Raises:
        PoisonEvent: Code ``malformed_delivery``: no task name, or a count that is none.
    """
    given = {name[len(PREFIX) :]: value for name, value in headers.items() if name.startswith(PREFIX)}
    task = given.get("taskname", "").rpartition("/")[2]
    if not task:
        raise PoisonEvent("malformed_delivery", "the request names no task")
    return TaskDelivery(
        queue=given.get("queuename", "").rpartition("/")[2],
        task=task,
        retry_count=whole_number(given.get("taskretrycount")) or 0,
        execution_count=whole_number(given.get("taskexecutioncount")) or 0,
        scheduled_time=_eta(given.get("tasketa")),
        previous_response=whole_number(given.get("taskpreviousresponse")),
        headers={f"{PREFIX}{name}": value for name, value in given.items() if name not in _KNOWN},
    )


def _eta(text: str | None) -> datetime | None:
    """Parse seconds since the epoch with a fraction, such as ``1767225600.123456``."""
    if not text:
        return None
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise PoisonEvent("malformed_delivery", f"{text!r} is no time") from error
