"""Pub/Sub deliveries over HTTP: push subscriptions, wrapped and unwrapped, and Eventarc.

Shapes: https://cloud.google.com/pubsub/docs/push and https://cloud.google.com/pubsub/docs/payload-unwrapping. A message
without data is a message: the attributes may be all it says.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from common.deliveries import MessageDelivery
from common.errors import PoisonEvent
from triggers.parsers.cloudevent import STRUCTURED, parse_cloud_event
from triggers.parsers.values import json_object, moment, whole_number

METADATA = "x-goog-pubsub-"
_TRANSPORT = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "forwarded",
        "from",
        "function-execution-id",
        "host",
        "transfer-encoding",
        "user-agent",
        "via",
        "x-cloud-trace-context",
        "x-serverless-authorization",
    }
)


def parse_message(headers: Mapping[str, str], content: bytes) -> MessageDelivery:
    """Return the message of a request.

    Wrapped deliveries are JSON in which every name comes in one or two spellings (``messageId``, ``message_id``).
    Unwrapped ones carry the data as the body, metadata as ``x-goog-pubsub-*`` headers and attributes as headers of
    their own name; HTTP does not tell the case of those, nor ``-`` from ``_``, so they arrive lower case with ``-``.

    Args:
        headers: Request headers, names in lower case.
        content: The body.

    Raises:
        PoisonEvent: Code ``malformed_delivery``.
    """
    if f"{METADATA}message-id" in headers:
        return _unwrapped(headers, content)
    if headers.get("content-type", "").partition(";")[0].strip().lower() == STRUCTURED:
        content = parse_cloud_event(headers, content).data
    return _wrapped(json_object(content))


def _unwrapped(headers: Mapping[str, str], content: bytes) -> MessageDelivery:
    attributes = {
        name: value
        for name, value in headers.items()
        if name not in _TRANSPORT and not name.startswith((METADATA, "x-forwarded-", "x-google-", "x-appengine-"))
    }
    return MessageDelivery(
        data=content,
        attributes=attributes,
        message_id=headers[f"{METADATA}message-id"],
        publish_time=moment(headers.get(f"{METADATA}publish-time")),
        ordering_key=headers.get(f"{METADATA}ordering-key", ""),
        subscription=headers.get(f"{METADATA}subscription-name", ""),
        # Not among the headers Google documents; read in case it is sent.
        delivery_attempt=whole_number(headers.get(f"{METADATA}delivery-attempt")),
    )


def _wrapped(envelope: Mapping[str, Any]) -> MessageDelivery:
    message = envelope.get("message")
    if not isinstance(message, dict):
        raise PoisonEvent("malformed_delivery", "the delivery has no message")
    message_id = message.get("messageId", message.get("message_id"))
    if not isinstance(message_id, str) or not message_id:
        raise PoisonEvent("malformed_delivery", "the message has no id")
    attributes = message.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise PoisonEvent("malformed_delivery", "the message's attributes are no JSON object")
    return MessageDelivery(
        data=_decoded(message.get("data")),
        attributes={name: str(value) for name, value in attributes.items()},
        message_id=message_id,
        publish_time=moment(message.get("publishTime", message.get("publish_time"))),
        ordering_key=str(message.get("orderingKey", message.get("ordering_key")) or ""),
        subscription=str(envelope.get("subscription") or ""),
        delivery_attempt=whole_number(envelope.get("deliveryAttempt", envelope.get("delivery_attempt"))),
    )


def _decoded(data: object) -> bytes:
    if data is None:
        return b""
    try:
        return base64.b64decode(data, validate=True)  # type: ignore[arg-type]
    except (binascii.Error, TypeError, ValueError) as error:
        raise PoisonEvent("malformed_delivery", "the message's data is not base64") from error
