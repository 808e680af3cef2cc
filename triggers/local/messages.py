"""Pub/Sub push, as production does it: wrapped, filtered, concurrent, retried, dead-lettered.

Deployed subscriptions push the wrapped form: unwrapped, every attribute becomes a header, and the web server drops
headers with an underscore in their name (``tenant_id``), and nothing tells the attempt. The emulator pushes two
messages at a time, applies no filter and sends no identity, so this gateway pulls and pushes itself. It also counts the
delivery attempts and forwards to the dead-letter topic, with the attributes Pub/Sub writes.
"""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from google.api_core.exceptions import AlreadyExists, GoogleAPICallError
from google.cloud import pubsub_v1

from triggers.local.deliveries import Call, Delivery, Dispatcher, Policy
from triggers.local.filters import compile_filter
from triggers.local.functions import LocalFunction, Subscription, dead_letter_topic, subscriptions, topics
from triggers.local.identity import Addresses

OUTSTANDING = 2000
"""Messages of one subscription held here at most; some more wait in the client library, the rest in Pub/Sub."""

ACK_DEADLINE = 60
"""Seconds; the lease is renewed for as long as the message is held here."""


def push_body(message: Any, subscription: str, attempt: int | None) -> bytes:
    """Return the body of a wrapped push.

    Args:
        message: The message as pulled.
        subscription: Full name of the subscription.
        attempt: Delivery attempt from 1; None where the subscription has no dead-letter topic.
    """
    published = _time(message.publish_time)
    wrapped: dict[str, Any] = {
        "attributes": dict(message.attributes),
        "messageId": message.message_id,
        "message_id": message.message_id,
        "publishTime": published,
        "publish_time": published,
    }
    if message.data:
        wrapped["data"] = base64.b64encode(message.data).decode()
    if message.ordering_key:
        wrapped["orderingKey"] = message.ordering_key
    body: dict[str, Any] = {"message": wrapped, "subscription": subscription}
    if attempt is not None:
        body["deliveryAttempt"] = attempt
    return json.dumps(body).encode()


def dead_letter_attributes(message: Any, subscription: str, attempts: int) -> dict[str, str]:
    """Return the attributes a message carries in the dead-letter topic: its own and where it comes from."""
    _, project, _, name = subscription.split("/")
    return {
        **dict(message.attributes),
        "CloudPubSubDeadLetterSourceDeliveryCount": str(attempts),
        "CloudPubSubDeadLetterSourceSubscription": name,
        "CloudPubSubDeadLetterSourceSubscriptionProject": project,
        "CloudPubSubDeadLetterSourceTopicPublishTime": message.publish_time.isoformat(timespec="milliseconds"),
    }


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class MessageGateway:
    """Creates topics and subscriptions, and pushes what arrives."""

    def __init__(
        self,
        *,
        functions: list[LocalFunction],
        domains: list[str],
        project: str,
        dispatcher: Dispatcher,
        addresses: Addresses,
        retry_scale: float,
    ) -> None:
        self._functions = functions
        self._domains = domains
        self._project = project
        self._dispatcher = dispatcher
        self._addresses = addresses
        self._scale = retry_scale
        self._publisher = pubsub_v1.PublisherClient(
            publisher_options=pubsub_v1.types.PublisherOptions(enable_message_ordering=True)
        )
        self._subscriber = pubsub_v1.SubscriberClient()
        self._pulls: list[Any] = []
        self._pools: list[ThreadPoolExecutor] = []
        self._stopping = threading.Event()

    def create(self) -> None:
        """Create what the manifest asks for, where it does not exist yet."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._create_topic, topics(self._functions, self._domains)))
            list(pool.map(self._create_subscription, subscriptions(self._functions)))

    def _create_topic(self, topic: str) -> None:
        self._once(self._publisher.create_topic, name=self._topic(topic))

    def _create_subscription(self, subscription: Subscription) -> None:
        retry = subscription.declaration.retry
        request: dict[str, Any] = {
            "name": self._subscription(subscription.name),
            "topic": self._topic(subscription.topic),
            "ack_deadline_seconds": ACK_DEADLINE,
            "filter": subscription.declaration.subscription_filter(subscription.function),
            "enable_message_ordering": subscription.declaration.ordered,
            "retry_policy": {
                "minimum_backoff": {"seconds": retry.minimum},
                "maximum_backoff": {"seconds": retry.maximum},
            },
        }
        self._once(self._subscriber.create_subscription, request=request)

    @staticmethod
    def _once(create: Any, **arguments: Any) -> None:
        try:
            create(**arguments)
        except AlreadyExists:
            return

    def start(self) -> None:
        """Pull from every subscription."""
        for subscription in subscriptions(self._functions):
            self._pull(subscription)

    def stop(self) -> None:
        """Stop pulling."""
        self._stopping.set()
        for pull in self._pulls:
            pull.cancel()
        for pull in self._pulls:
            pull.result(timeout=10)
        for pool in self._pools:
            pool.shutdown(wait=False)
        self._subscriber.close()
        self._publisher.stop()

    def publish(self, topic: str, data: bytes, attributes: dict[str, str]) -> str:
        """Publish a message by hand and return its id."""
        return str(self._publisher.publish(self._topic(topic), data, **attributes).result(timeout=10))

    def _topic(self, topic: str) -> str:
        return f"projects/{self._project}/topics/{topic}"

    def _subscription(self, name: str) -> str:
        return f"projects/{self._project}/subscriptions/{name}"

    def _pull(self, subscription: Subscription) -> None:
        declaration = subscription.declaration
        name = self._subscription(subscription.name)
        wanted = compile_filter(declaration.subscription_filter(subscription.function))
        retry = declaration.retry
        policy = Policy(
            minimum=retry.minimum,
            maximum=retry.maximum,
            attempts=retry.attempts if declaration.dead_letter else None,
            lifetime=7 * 86_400.0,
        ).scaled(self._scale)
        self._dispatcher.lane(
            subscription.function, concurrency=min(32, declaration.concurrency * declaration.max_instances)
        )

        room = threading.Semaphore(OUTSTANDING)

        def accept(message: Any) -> None:
            if not wanted(message.attributes):
                message.ack()
                return
            while not room.acquire(timeout=0.2):
                if self._stopping.is_set():
                    return
            if not declaration.ordered:
                # The library would hold the next message of an ordering key back until this one is acknowledged,
                # although the subscription promises no order. The emulator keeps messages in memory only, as the
                # dispatcher does, so nothing is lost by acknowledging now.
                message.ack()
            self._dispatcher.submit(self._delivery(subscription, name, message, policy, room))

        pool = ThreadPoolExecutor(1, thread_name_prefix=f"pull-{subscription.name}")
        self._pools.append(pool)
        self._pulls.append(
            self._subscriber.subscribe(
                name,
                callback=accept,
                flow_control=pubsub_v1.types.FlowControl(max_messages=OUTSTANDING, max_lease_duration=86_400),
                scheduler=pubsub_v1.subscriber.scheduler.ThreadScheduler(pool),
            )
        )

    def _delivery(
        self, subscription: Subscription, name: str, message: Any, policy: Policy, room: threading.Semaphore
    ) -> Delivery:
        function = subscription.function
        counts, ordered = subscription.declaration.dead_letter, subscription.declaration.ordered

        def compose(under_way: Delivery) -> Call:
            headers = {
                "authorization": self._addresses.authorization(function),
                "content-type": "application/json",
                "user-agent": "CloudPubSub-Google",
            }
            body = push_body(message, name, under_way.attempt if counts else None)
            return Call(url=self._addresses.url(function), headers=headers, body=body)

        def settle(delivered: bool) -> None:
            if delivered or self._set_aside(function, name, message, delivery.failures):
                room.release()
                if ordered:
                    message.ack()
            elif ordered:
                room.release()
                message.nack()
            else:
                delivery.failures -= 1
                self._dispatcher.submit(delivery, policy.maximum)

        delivery = Delivery(
            function=function,
            kind="message",
            identity=message.message_id,
            compose=compose,
            policy=policy,
            timeout=subscription.declaration.timeout,
            settle=settle,
        )
        return delivery

    def _set_aside(self, function: str, subscription: str, message: Any, attempts: int) -> bool:
        """Forward a message to the dead-letter topic; tells whether Pub/Sub took it."""
        attributes = dead_letter_attributes(message, subscription, attempts)
        topic = self._topic(dead_letter_topic(function))
        ordering_key = message.ordering_key or ""
        try:
            self._publisher.publish(topic, message.data, ordering_key=ordering_key, **attributes).result(10)
        except (GoogleAPICallError, TimeoutError):
            if ordering_key:
                self._publisher.resume_publish(topic, ordering_key)
            return False
        return True
