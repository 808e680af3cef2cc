"""Publishing to Pub/Sub: bounded in time, in order per ordering key, and able to go on after a failure."""

from __future__ import annotations

import concurrent.futures
import random
import time
from collections.abc import Mapping
from typing import Any

from google.api_core import exceptions
from google.cloud.pubsub_v1.publisher.exceptions import PublishToPausedOrderingKeyException

from common.clients.pubsub import publisher_client
from common.clients.registry import Clients
from common.errors import ConfigurationError, Unavailable

SOURCE_TOPIC = "source-topic"
"""Attribute with the topic's id: a dead letter arrives with the name of its subscription only.

Spelt so that it survives as an HTTP header of an unwrapped push.
"""

ATTEMPT = 5.0
"""Seconds one attempt may take."""

TRANSIENT = (
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.Unknown,
    exceptions.RetryError,
    concurrent.futures.TimeoutError,
    PublishToPausedOrderingKeyException,
)


def publish(
    clients: Clients,
    topic: str,
    data: bytes,
    attributes: Mapping[str, str],
    ordering_key: str = "",
    *,
    timeout: float = 10.0,
) -> str:
    """Publish one message and wait until Pub/Sub has it.

    The client library would retry an ordered message for ever behind the caller's back; here an attempt is one
    attempt, and after the last one nothing is left under way.

    Args:
        clients: Clients of outside services.
        topic: Topic id, such as ``aso-events``.
        data: The message.
        attributes: Attributes; ``source-topic`` is added.
        ordering_key: Messages of one key keep their order; empty for none.
        timeout: Seconds to wait, retries included.

    Returns:
        Pub/Sub's message id.

    Raises:
        Unavailable: Pub/Sub does not answer in time; the message may have arrived, so publishing again may double it.
        ConfigurationError: There is no such topic.
    """
    publisher = clients.get(publisher_client)
    path = publisher.topic_path(clients.settings.project, topic)
    until = time.monotonic() + timeout
    pause = 0.05
    while True:
        left = max(0.1, until - time.monotonic())
        try:
            sent = publisher.publish(
                path,
                data,
                ordering_key=ordering_key,
                retry=None,
                timeout=min(ATTEMPT, left),
                **{**attributes, SOURCE_TOPIC: topic},
            )
            return sent.result(timeout=min(ATTEMPT, left) + 0.5)  # type: ignore[no-any-return]
        except exceptions.NotFound as error:
            _resume(publisher, path, ordering_key)
            raise ConfigurationError(f"there is no topic {path}") from error
        except TRANSIENT as error:
            _resume(publisher, path, ordering_key)
            wait = random.uniform(pause / 2, pause)  # noqa: S311  # jitter, not a secret
            if time.monotonic() + wait >= until:
                raise Unavailable("pubsub", f"Pub/Sub did not take the message ({type(error).__name__})") from error
        time.sleep(wait)
        pause = min(1.0, pause * 2)


def _resume(publisher: Any, path: str, ordering_key: str) -> None:
    """Let later messages of the key through: after a failure the client holds them back until told."""
    if not ordering_key:
        return
    try:
        publisher.resume_publish(path, ordering_key)
    except RuntimeError:
        return  # another thread was faster, or the key was never held back
