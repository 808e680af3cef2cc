"""Firestore's document events, as Eventarc delivers them in production.

The emulator posts events one after the other, once, with a base64 body and a wrong source, and also for writes that
changed nothing. This adapter takes them at once and delivers them as production does: concurrently, in no order,
retried for 24 hours, never for a write without effect.
"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Mapping

from google.events.cloud.firestore_v1.types import DocumentEventData

from triggers.local.deliveries import Call, Delivery, Dispatcher, Policy
from triggers.local.document_events import DocumentEvents
from triggers.local.functions import Document, LocalFunction, declared
from triggers.local.identity import Addresses

DAY = 86_400.0
POLICY = Policy(minimum=10, maximum=600, lifetime=DAY)
EVENT_TYPE = "google.cloud.firestore.document.v1."


def is_without_effect(body: bytes) -> bool:
    """Tell whether an event's document is the same before and after; production fires nothing for such a write."""
    event = DocumentEventData.pb(DocumentEventData.deserialize(body))
    both = event.HasField("value") and event.HasField("old_value")
    return bool(both and event.value.fields == event.old_value.fields)


def production_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the CloudEvent headers as Eventarc sends them: the emulator doubles ``projects/`` in the source."""
    found = {name.lower(): value for name, value in headers.items() if name.lower().startswith("ce-")}
    found["ce-source"] = found.get("ce-source", "").replace("/projects/projects/", "/projects/")
    return {**found, "content-type": "application/protobuf", "user-agent": "APIs-Google"}


class DocumentGateway:
    """Registers the document functions with the emulator and hands its events to the dispatcher."""

    def __init__(
        self,
        *,
        functions: list[LocalFunction],
        project: str,
        firestore: str,
        events: DocumentEvents,
        dispatcher: Dispatcher,
        addresses: Addresses,
        retry_scale: float,
    ) -> None:
        self._functions = {function.name: declaration for function, declaration in declared(functions, Document)}
        self._project = project
        self._firestore = firestore
        self._dispatcher = dispatcher
        self._addresses = addresses
        self._policy = POLICY.scaled(retry_scale)
        self._events = events

    def start(self) -> None:
        """Listen for events, then have the emulator send them."""
        self._events.connect(self._project, self.accept)
        for name, declaration in self._functions.items():
            self._dispatcher.lane(name, concurrency=min(32, declaration.concurrency * declaration.max_instances))
            self._register(name, declaration)

    def stop(self) -> None:
        """Stop listening."""
        self._events.disconnect(self._project)

    def _register(self, name: str, declaration: Document) -> None:
        match = "PATH_PATTERN" if "{" in declaration.path else "EXACT"
        trigger = {
            "eventType": EVENT_TYPE + declaration.change,
            "database": "(default)",
            "namespace": "(default)",
            "document": {"value": declaration.path, "matchType": match},
        }
        query = urllib.parse.urlencode({"eventarcTriggerId": name})
        url = f"http://{self._firestore}/emulator/v1/projects/{self._project}/eventarcTrigger?{query}"
        request = urllib.request.Request(
            url, data=json.dumps(trigger).encode(), headers={"content-type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=60):
            pass

    def accept(self, name: str, headers: Mapping[str, str], body: bytes) -> None:
        """Queue one event of the emulator, unless it is without effect."""
        declaration = self._functions.get(name)
        if declaration is None or is_without_effect(body):
            return
        fixed = production_headers(headers)

        def compose(_delivery: Delivery) -> Call:
            token = self._addresses.authorization(name)
            return Call(url=self._addresses.url(name), headers={**fixed, "authorization": token}, body=body)

        self._dispatcher.submit(
            Delivery(
                function=name,
                kind="document",
                identity=fixed.get("ce-id", ""),
                compose=compose,
                policy=self._policy,
                timeout=declaration.timeout,
            )
        )
