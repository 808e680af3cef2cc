"""Calls to BigQuery: bounded in time, retried while it makes sense, behind the breaker, failing in one way."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import requests
from google.api_core import exceptions
from google.auth.exceptions import TransportError

from common.breaker import Breaker
from common.calls import retrying
from common.context import Context
from common.errors import Unavailable

Result = TypeVar("Result")

DEPENDENCY = "bigquery"
TRANSIENT = (
    exceptions.ServerError,
    exceptions.TooManyRequests,
    exceptions.RetryError,
    exceptions.Cancelled,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    TransportError,
    ConnectionError,
    concurrent.futures.TimeoutError,
)
"""What BigQuery or the way to it raises when trying again later may help."""
TRANSIENT_REASONS = frozenset({"rateLimitExceeded", "quotaExceeded", "backendError", "jobRateLimitExceeded"})
CONFLICT = "Could not serialize access"
"""BigQuery's words when two statements changed one table at once; it answers 400 and asks to try again."""


class NotProvisioned(Unavailable):
    """A tenant's tables do not exist; no sign that BigQuery is failing, and no reason to open its breaker."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors that say BigQuery is failing into ``Unavailable``; everything else passes unchanged."""
    try:
        yield
    except TRANSIENT as error:
        raise Unavailable(DEPENDENCY, f"BigQuery does not answer ({type(error).__name__})") from error


def _asks_to_wait(error: exceptions.GoogleAPICallError) -> bool:
    """Tell whether an error is about this one request coming too soon, which says nothing against BigQuery."""
    reasons = {str(entry.get("reason")) for entry in error.errors if isinstance(entry, dict)}
    return bool(reasons & TRANSIENT_REASONS) or CONFLICT in str(error)


def calling(context: Context, call: Callable[[], Result], *, attempts: int = 3) -> Result:
    """Run one call to BigQuery with everything around it.

    Args:
        context: Whose deadline bounds the retries.
        call: Sends the request; must be repeatable.
        attempts: Tries in all.

    Raises:
        Unavailable: BigQuery does not answer, its breaker is open, or the tenant's tables do not exist yet (tenants
            are provisioned by an event, which may come after the first change of their data).
    """
    breaker = Breaker(DEPENDENCY, context.clients)

    def guarded() -> Result:
        try:
            with breaker.guard(), translated():
                return call()
        except (exceptions.Forbidden, exceptions.BadRequest) as error:
            if _asks_to_wait(error):
                raise Unavailable(DEPENDENCY, "BigQuery asks to slow down") from error
            raise

    try:
        return retrying(context, DEPENDENCY, guarded, attempts=attempts)
    except exceptions.NotFound as error:
        raise NotProvisioned(DEPENDENCY, "the tenant's tables do not exist (yet)", retry_after=30) from error
