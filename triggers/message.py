"""Consumers of Pub/Sub topics: ``@message.subscribe("aso-events", filter='attributes.event_type = "x"')``.

A handler takes the ``message: MessageDelivery``, or the domain event in it as ``envelope: Envelope``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict, TypeVar, Unpack

from pydantic import ValidationError

from common.context import Context
from common.deliveries import MessageDelivery
from common.errors import PoisonEvent
from common.events import Envelope
from triggers.binding import bind_event
from triggers.declaration import Message, Retry
from triggers.event_pipeline import Arrival, EventPipeline, known_tenant
from triggers.parsers.pubsub import parse_message
from triggers.resting import message_admission
from triggers.served import Served, function_name, serve

Handler = TypeVar("Handler", bound=Callable[..., Any])


class MessageOptions(TypedDict, total=False):
    """The fields of ``triggers.declaration.Message`` besides the topic."""

    filter: str
    retry: Retry
    dead_letter: bool
    ordered: bool
    needs: dict[str, str]
    secrets: dict[str, str]
    memory: int
    timeout: int
    concurrency: int
    min_instances: int
    max_instances: int


def subscribe(topic: str, **options: Unpack[MessageOptions]) -> Callable[[Handler], Served[Handler]]:
    """Declare a consumer with a subscription of its own."""
    declaration = Message(topic=topic, **options)

    def decorate(handler: Handler) -> Served[Handler]:
        name = function_name(handler)
        parameters = bind_event(handler, {MessageDelivery, Envelope, Context}, body=False)
        parse = _event if Envelope in parameters.values() else _plain
        pipeline = EventPipeline(handler, name, declaration.timeout, parameters, parse, message_admission(declaration))
        return serve(handler, name, declaration, pipeline)

    return decorate


def _plain(headers: Mapping[str, str], content: bytes) -> Arrival:
    message = parse_message(headers, content)
    attributes = message.attributes
    return Arrival(
        arguments={MessageDelivery: message},
        event_id=attributes.get("event_id", message.message_id),
        tenant_id=known_tenant(attributes.get("tenant_id")),
        correlation_id=attributes.get("correlation_id"),
        causation_id=attributes.get("event_id"),
        traceparent=attributes.get("traceparent"),
        attempt=message.delivery_attempt,
    )


def _event(headers: Mapping[str, str], content: bytes) -> Arrival:
    message = parse_message(headers, content)
    try:
        envelope = Envelope.model_validate_json(message.data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise PoisonEvent("invalid_envelope", f"{place}: {first['msg']}" if place else first["msg"]) from error
    return Arrival(
        arguments={MessageDelivery: message, Envelope: envelope},
        event_id=str(envelope.event_id),
        tenant_id=known_tenant(envelope.tenant_id),
        correlation_id=envelope.metadata.correlation_id,
        causation_id=str(envelope.event_id),
        traceparent=envelope.metadata.traceparent,
        attempt=message.delivery_attempt,
    )
