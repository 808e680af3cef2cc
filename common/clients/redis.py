"""Factory of the Redis client."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.settings import Settings


def redis_client(settings: Settings) -> redis.Redis | None:
    """Build the client with short timeouts, or None where the deployment has no Redis.

    Half a second to connect or answer is the point from which going without the cache is faster than waiting for it.
    The library would by default try ten times, with pauses of up to seconds: here only a connection that turned out to
    be dead is replaced once, at once, and a slow answer is never asked for again.
    """
    if not settings.redis_url:
        return None
    return redis.Redis.from_url(
        settings.redis_url,
        socket_connect_timeout=0.5,
        socket_timeout=0.5,
        max_connections=64,
        health_check_interval=30,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )
