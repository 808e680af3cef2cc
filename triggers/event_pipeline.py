"""What happens to a delivery before and after its handler, the same for messages, changes, schedules and tasks.

Order: the invoker's identity, parsing, handler. What is answered decides what the platform does next:

* 204: done, or set aside because it can never be done (``PoisonEvent``), so that it does not block what comes after;
* 401, 403: not delivered by our own service identity;
* 503, 500: try again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from common import logs
from common.context import PLATFORM_TENANT, TENANT_ID, Context, Deadline, Principal, Trace
from common.deliveries import MessageDelivery
from common.errors import MethodNotAllowed, PoisonEvent, Refusal
from common.service_identity import verify_invoker
from triggers import problems
from triggers.exchange import Exchange, HttpAnswer
from triggers.report import report

MAX_DELIVERY = 33_554_432
"""Bytes; Cloud Run takes no larger request over HTTP/1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """A parsed delivery.

    Attributes:
        arguments: What the handler can ask for, by type; a task's body under its model.
        event_id: Id that is equal for every delivery of the same thing.
        tenant_id: Whose work it is.
        correlation_id: Request that began the chain, if it is known.
        causation_id: Event that caused this, if one did.
        traceparent: Trace to continue, if it came with the event and not with the request.
        attempt: Which attempt this is, if the platform tells.
    """

    arguments: Mapping[Any, Any]
    event_id: str
    tenant_id: str = PLATFORM_TENANT
    correlation_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None
    attempt: int | None = None


Parse = Callable[[Mapping[str, str], bytes], Arrival]
Admit = Callable[[Context, Arrival, Mapping[str, str], bytes], bool]
"""Tells whether the tenant of a delivery works now; what does not go to the handler has been put aside or is over."""


def known_tenant(tenant_id: str | None) -> str:
    """Return a tenant id that came with an event.

    Raises:
        PoisonEvent: It is none.
    """
    if tenant_id is None or tenant_id == PLATFORM_TENANT:
        return PLATFORM_TENANT
    if TENANT_ID.fullmatch(tenant_id):
        return tenant_id
    raise PoisonEvent("invalid_tenant", f"{tenant_id!r} is no tenant id")


class EventPipeline:
    """Serves one event handler.

    Args:
        handler: The handler.
        name: Name of the function.
        timeout: Seconds until the platform ends a call.
        parameters: Names of the handler's parameters with the types they ask for.
        parse: Turns lower-case headers and the body into an arrival.
        admit: Keeps the work of tenants away that do none now; None lets everything in.
    """

    def __init__(
        self,
        handler: Callable[..., Any],
        name: str,
        timeout: int,
        parameters: Mapping[str, Any],
        parse: Parse,
        admit: Admit | None = None,
    ) -> None:
        self._handler = handler
        self._name = name
        self._seconds = timeout - min(5.0, timeout * 0.1)
        self._parameters = dict(parameters)
        self._parse = parse
        self._admit = admit

    def answer(self, exchange: Exchange) -> HttpAnswer:
        """Answer one delivery."""
        started = time.perf_counter()
        notes: dict[str, Any] = {}
        answer = self._answered(exchange, notes)
        report(self._name, exchange, answer, started, **notes)
        return answer

    def _answered(self, exchange: Exchange, notes: dict[str, Any]) -> HttpAnswer:
        """Turn whatever happens into an answer; a refusal by the handler is a failure like any other."""
        try:
            context, content = self._received(exchange)
        except Refusal as refusal:
            return problems.refused(refusal, exchange)
        except Exception as error:  # noqa: BLE001 - the platform tries again
            return _failed(error, exchange)
        try:
            self._deliver(exchange, context, content, notes)
        except Exception as error:  # noqa: BLE001 - the platform tries again
            return _failed(error, exchange)
        return HttpAnswer(204, content_type="")

    def _received(self, exchange: Exchange) -> tuple[Context, bytes]:
        if exchange.method != "POST":
            raise MethodNotAllowed("method_not_allowed", "deliveries are POSTed", headers={"Allow": "POST"})
        principal = verify_invoker(exchange.clients.settings, exchange.headers, self._name)
        context = exchange.context = self._context(exchange, principal, None)
        return context, exchange.body(MAX_DELIVERY)

    def _deliver(self, exchange: Exchange, context: Context, content: bytes, notes: dict[str, Any]) -> None:
        headers = dict(exchange.headers)
        try:
            arrival = self._parse(headers, content)
            notes.update(event_id=arrival.event_id, attempt=arrival.attempt)
            context = exchange.context = self._context(exchange, context.principal, arrival)
            if self._admit is not None and not self._admit(context, arrival, headers, content):
                notes["admitted"] = False
                return
            given = {Context: context, **arrival.arguments}
            self._handler(**{name: given[kind] for name, kind in self._parameters.items()})
        except PoisonEvent as poison:
            notes["poison"] = poison.code
            _set_aside(context, headers, content, poison)

    def _context(self, exchange: Exchange, principal: Principal, arrival: Arrival | None) -> Context:
        trace, correlation_id, causation_id, tenant_id = exchange.trace, None, None, PLATFORM_TENANT
        if arrival is not None:
            correlation_id, causation_id, tenant_id = arrival.correlation_id, arrival.causation_id, arrival.tenant_id
            if arrival.traceparent is not None:
                trace = exchange.trace = Trace.continued(arrival.traceparent)
        return Context(
            function=self._name,
            tenant_id=tenant_id,
            principal=principal,
            clients=exchange.clients,
            request_id=exchange.request_id,
            correlation_id=correlation_id or exchange.request_id,
            causation_id=causation_id,
            trace=trace,
            deadline=Deadline.after(self._seconds),
        )


def _failed(error: Exception, exchange: Exchange) -> HttpAnswer:
    exchange.error = error
    away = problems.unavailable_from(error)
    return problems.internal(exchange) if away is None else problems.unavailable(away, exchange)


def _set_aside(context: Context, headers: Mapping[str, str], content: bytes, poison: PoisonEvent) -> None:
    """Keep a poison delivery, exactly as it arrived, with the reason."""
    from common.dead_letters import set_aside

    kept = {name: value for name, value in headers.items() if not logs.is_secret(name)}
    event_id = headers.get("ce-id") or headers.get("x-cloudtasks-taskname") or context.request_id
    delivery = MessageDelivery(data=content, attributes=kept, message_id=event_id)
    set_aside(context, delivery, poison.code, poison.detail)
    logs.logger(context).warning("set aside", code=poison.code, reason=poison.detail)
