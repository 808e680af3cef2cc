"""Calls to Firestore: bounded in time, retried while it makes sense, and with one error when Firestore is away."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type

from common.context import Deadline
from common.errors import Unavailable

PATIENCE = 10.0
"""Seconds that one call may take, retries included; an answer that takes longer is a dependency that is down."""

TRANSIENT = (
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.RetryError,
    exceptions.ServiceUnavailable,
    exceptions.Unknown,
)
"""What Firestore or the way to it says when trying again later may help."""

RETRIED = (exceptions.InternalServerError, exceptions.ServiceUnavailable, exceptions.ResourceExhausted)


def bounded(deadline: Deadline, at_most: float = PATIENCE, *, retried: bool = True) -> dict[str, Any]:
    """Return the ``timeout`` and ``retry`` arguments of one call.

    Args:
        deadline: When the request is given up.
        at_most: Seconds for this call, retries included.
        retried: False for a commit: whether it took effect is not known after an error, so the caller decides.

    Raises:
        Unavailable: The deadline has passed.
    """
    timeout = deadline.timeout(at_most, "firestore")
    if not retried:
        return {"timeout": timeout, "retry": None}
    retry = Retry(
        predicate=if_exception_type(*RETRIED),
        initial=0.05,
        maximum=1.0,
        multiplier=2.0,
        timeout=timeout,
    )
    return {"timeout": timeout, "retry": retry}


class Contended(Unavailable):
    """Firestore gave way to another transaction; running this one again may help."""

    def __init__(self) -> None:
        super().__init__("firestore", "other requests change the same documents", retry_after=1)


@contextmanager
def translated() -> Iterator[None]:
    """Turn transient errors of Firestore into ``Unavailable``; errors of ours (a missing index, ...) pass unchanged."""
    try:
        yield
    except exceptions.Aborted as error:
        raise Contended from error
    except TRANSIENT as error:
        raise Unavailable("firestore", f"Firestore does not answer ({type(error).__name__})") from error


def pause(attempt: int, deadline: Deadline) -> None:
    """Wait before trying again: full jitter over an exponential bound, never beyond the deadline.

    Args:
        attempt: How many attempts failed; 1 for the first.
        deadline: When the request is given up.

    Raises:
        Unavailable: The deadline has passed or would pass while waiting.
    """
    seconds = random.uniform(0, min(2.0, 0.05 * 2**attempt))  # noqa: S311  # jitter, not a secret
    if deadline.timeout(seconds + 0.01, "firestore") < seconds:
        raise Unavailable("firestore", "other requests change the same documents; no time is left to try again")
    time.sleep(seconds)
