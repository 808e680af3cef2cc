"""The Redis client, and its factory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.settings import Settings


class Redis(redis.Redis):
    """The library's client with a shorter way for single commands, which every request takes at least once.

    The library asks the operating system at every command whether the connection is still clean, and keeps figures
    that nobody reads; both cost more than sending the command. Here a connection is used as it was left: one that broke
    is replaced by the retry, and one that has been idle for long is asked first (``health_check_interval``). A command
    that fails midway closes its connection, so no answer can be taken for another's. Pipelines go the library's way.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._idle: deque[Any] = deque()
        self._parse: Callable[..., Any] = self.parse_response

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        """Send a command and return its answer; thread-safe.

        Raises:
            redis.RedisError: Redis does not answer, or refuses.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self.connection_pool.make_connection()
        try:
            try:
                return self._answer(connection, arguments, options)
            except redis.ConnectionError:
                connection.disconnect()
                return self._answer(connection, arguments, options)
        except redis.ResponseError:
            raise  # it has been read to its end
        except BaseException:
            connection.disconnect()
            raise
        finally:
            self._idle.append(connection)

    def close(self) -> None:
        """Close every connection that is not in use."""
        while self._idle:
            self._idle.pop().disconnect()
        super().close()

    def _answer(self, connection: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        connection.send_command(*arguments)
        return self._parse(connection, arguments[0], **options)


def redis_client(settings: Settings) -> redis.Redis | None:
    """Build the client with short timeouts, or None where the deployment has no Redis.

    Half a second to connect or answer is the point from which going without the cache is faster than waiting for it.
    The library would by default try ten times, with pauses of up to seconds: here only a connection that turned out to
    be dead is replaced once, at once, and a slow answer is never asked for again.
    """
    if not settings.redis_url:
        return None
    return Redis.from_url(
        settings.redis_url,
        socket_connect_timeout=0.5,
        socket_timeout=0.5,
        max_connections=256,
        health_check_interval=30,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )
