"""Liveness, and the state of what the platform depends on."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import redis
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError

from common.clients.bigquery import bigquery_client
from common.clients.firestore import firestore_client
from common.clients.redis import redis_client
from common.context import Context
from common.platform.models import DependencyCheck, DependencyChecks, ServiceStatus, State

CHECK_SECONDS = 5.0
"""A dependency that needs longer than this for nothing at all is not healthy."""

FAILURES = (GoogleAPIError, GoogleAuthError, redis.RedisError, OSError)


def service_status(context: Context) -> ServiceStatus:
    """Ask all dependencies at once and sum up.

    Raises:
        Unavailable: The request's deadline has passed.
    """
    timeout = context.deadline.timeout(CHECK_SECONDS, "firestore")
    with ThreadPoolExecutor(max_workers=3) as pool:
        firestore = pool.submit(_timed, lambda: _ask_firestore(context, timeout))
        bigquery = pool.submit(_timed, lambda: _ask_bigquery(context, timeout))
        cache = pool.submit(_check_redis, context)
        checks = DependencyChecks(firestore=firestore.result(), bigquery=bigquery.result(), redis=cache.result())
    return ServiceStatus(service_name="platform", status=_overall(checks), last_check=datetime.now(UTC), checks=checks)


def _timed(ask: Callable[[], object]) -> DependencyCheck:
    begun = time.monotonic()
    try:
        ask()
    except FAILURES as error:
        return DependencyCheck(status="unhealthy", detail=type(error).__name__)
    return DependencyCheck(status="healthy", latency_ms=round((time.monotonic() - begun) * 1000, 1))


def _ask_firestore(context: Context, timeout: float) -> None:
    document = context.clients.get(firestore_client).document("system/health/checks/read")
    document.get(timeout=timeout, retry=None)


def _ask_bigquery(context: Context, timeout: float) -> None:
    # Listing one data set answers from BigQuery's control plane: no job, no bytes, no cost.
    list(context.clients.get(bigquery_client).list_datasets(max_results=1, timeout=timeout, retry=None))


def _check_redis(context: Context) -> DependencyCheck:
    client = context.clients.get(redis_client)
    if client is None:
        return DependencyCheck(status="degraded", detail="this deployment has no Redis")
    return _timed(client.ping)


def _overall(checks: DependencyChecks) -> State:
    if checks.firestore.status != "healthy":
        return "unhealthy"
    fine = checks.bigquery.status == "healthy" and checks.redis.status == "healthy"
    return "healthy" if fine else "degraded"
