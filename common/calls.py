"""Calling what may fail for a moment: a few attempts with growing, random pauses, never beyond the deadline."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from common.context import Context
from common.errors import Unavailable

Result = TypeVar("Result")

TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504})
FIRST_PAUSE = 0.1
"""Seconds of the first pause at most; each following one may be twice as long."""

LONGEST_PAUSE = 5.0
"""Seconds."""


def retrying(context: Context, dependency: str, call: Callable[[], Result], attempts: int = 3) -> Result:
    """Return what ``call`` returns, trying again after transient failures.

    The pauses are random between nothing and a bound that doubles (full jitter), so that many callers that failed
    together do not come back together. A call that may have taken effect before it failed must be harmless to repeat.

    Args:
        context: Carries the deadline.
        dependency: What is called, for the error.
        call: The call; it bounds its own time, by ``context.deadline.timeout(...)``.
        attempts: How often to call at most.

    Raises:
        Unavailable: Every attempt failed in a transient way, or the deadline leaves no time for another one.
        Exception: Whatever else ``call`` raises, at once.
    """
    for attempt in range(1, attempts + 1):
        context.deadline.timeout(LONGEST_PAUSE, dependency)
        try:
            return call()
        except Exception as error:
            if not is_transient(error):
                raise
            pause = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)))  # noqa: S311 no secret
            if attempt == attempts or pause >= context.deadline.remaining:
                raise _given_up(dependency, attempt, error) from error
        time.sleep(pause)
    raise ValueError("attempts must be at least 1")


def is_transient(error: BaseException) -> bool:
    """Tell whether trying again may help.

    Transient are ``Unavailable``, broken and timed-out connections, and errors that carry an HTTP status of the kind
    (as all of Google's libraries' do, in ``code``), whichever library they come from.
    """
    if isinstance(error, Unavailable | ConnectionError | TimeoutError):
        return True
    code = getattr(error, "code", None)
    return isinstance(code, int) and code in TRANSIENT_STATUSES


def _given_up(dependency: str, attempts: int, error: Exception) -> Unavailable:
    if isinstance(error, Unavailable):
        return error
    return Unavailable(dependency, f"{dependency} failed {attempts} times: {type(error).__name__}")
