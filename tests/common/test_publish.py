"""Publishing to the Pub/Sub emulator: what arrives, in which order, and what happens after a failure."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import pubsub_v1

from common.clients.pubsub import publisher_client
from common.clients.registry import Clients
from common.errors import ConfigurationError, Unavailable
from common.publish import SOURCE_TOPIC, publish


@pytest.fixture
def topic(clients: Clients) -> str:
    name = f"topic-{uuid.uuid4().hex[:8]}"
    clients.get(publisher_client).create_topic(name=f"projects/{clients.settings.project}/topics/{name}")
    return name


@pytest.fixture
def received(clients: Clients, topic: str) -> Callable[[int], list[Any]]:
    """Return the messages of the topic, waiting for as many as are asked for."""
    subscriber = pubsub_v1.SubscriberClient()
    subscription = f"projects/{clients.settings.project}/subscriptions/{topic}"
    subscriber.create_subscription(
        request={
            "name": subscription,
            "topic": f"projects/{clients.settings.project}/topics/{topic}",
            "enable_message_ordering": True,
        }
    )

    def pull(count: int) -> list[Any]:
        messages: list[Any] = []
        while len(messages) < count:
            answer = subscriber.pull(subscription=subscription, max_messages=100, timeout=10)
            messages += [each.message for each in answer.received_messages]
            ids = [each.ack_id for each in answer.received_messages]
            if ids:
                subscriber.acknowledge(subscription=subscription, ack_ids=ids)
        return messages

    return pull


def test_a_message_arrives_as_it_was_published(
    clients: Clients, topic: str, received: Callable[[int], list[Any]]
) -> None:
    message_id = publish(clients, topic, b"\x00data", {"event_type": "x"}, "key")
    [message] = received(1)
    assert message.message_id == message_id
    assert message.data == b"\x00data"
    assert dict(message.attributes) == {"event_type": "x", SOURCE_TOPIC: topic}
    assert message.ordering_key == "key"


def failing(clients: Clients, times: int, error: Exception) -> None:
    """Have the next publications fail on their way."""
    publisher = clients.get(publisher_client)
    real = publisher._gapic_publish
    left = [times]

    def call(*arguments: Any, **named: Any) -> Any:
        if left[0] > 0:
            left[0] -= 1
            raise error
        return real(*arguments, **named)

    publisher._gapic_publish = call


def test_a_key_goes_on_after_failures(clients: Clients, topic: str, received: Callable[[int], list[Any]]) -> None:
    publish(clients, topic, b"1", {}, "key")
    failing(clients, 2, exceptions.ServiceUnavailable("away"))
    publish(clients, topic, b"2", {}, "key")
    failing(clients, 99, exceptions.ServiceUnavailable("away"))
    with pytest.raises(Unavailable) as failure:
        publish(clients, topic, b"lost", {}, "key", timeout=0.3)
    assert failure.value.dependency == "pubsub"
    clients.get(publisher_client)._gapic_publish = pubsub_v1.PublisherClient._gapic_publish.__get__(
        clients.get(publisher_client)
    )
    publish(clients, topic, b"3", {}, "key")
    assert [message.data for message in received(3)] == [b"1", b"2", b"3"]


def test_a_topic_that_is_not_there_is_a_mistake_of_the_deployment(clients: Clients, topic: str) -> None:
    with pytest.raises(ConfigurationError, match="no topic"):
        publish(clients, "nobody-made-this", b"", {}, "key")
    publish(clients, topic, b"", {})
