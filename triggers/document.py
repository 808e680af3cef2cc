"""Reactions to Firestore changes: ``@document.written("keywords/{keyword_id}")`` with ``change: DocumentDelivery``.

Delivered at least once, in no order, retried for 24 hours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict, TypeVar, Unpack

from common.context import Context
from common.deliveries import DocumentDelivery
from triggers.binding import bind_event
from triggers.declaration import Document
from triggers.event_pipeline import Arrival, EventPipeline
from triggers.parsers.firestore import DocumentPattern, parse_change
from triggers.served import Served, function_name, serve

WRITER = "_meta"
"""Field in which our own documents say who wrote this version, and in which chain of work."""

Handler = TypeVar("Handler", bound=Callable[..., Any])


class DocumentOptions(TypedDict, total=False):
    """The fields of ``triggers.declaration.Document`` besides path and change."""

    needs: dict[str, str]
    secrets: dict[str, str]
    memory: int
    timeout: int
    concurrency: int
    min_instances: int
    max_instances: int


def written(path: str, **options: Unpack[DocumentOptions]) -> Callable[[Handler], Served[Handler]]:
    """Declare a reaction to every change."""
    return _reaction(Document(path=path, change="written", **options))


def created(path: str, **options: Unpack[DocumentOptions]) -> Callable[[Handler], Served[Handler]]:
    """Declare a reaction to creations."""
    return _reaction(Document(path=path, change="created", **options))


def updated(path: str, **options: Unpack[DocumentOptions]) -> Callable[[Handler], Served[Handler]]:
    """Declare a reaction to updates."""
    return _reaction(Document(path=path, change="updated", **options))


def deleted(path: str, **options: Unpack[DocumentOptions]) -> Callable[[Handler], Served[Handler]]:
    """Declare a reaction to deletions."""
    return _reaction(Document(path=path, change="deleted", **options))


def _reaction(declaration: Document) -> Callable[[Handler], Served[Handler]]:
    pattern = DocumentPattern(declaration.path)

    def parse(headers: Mapping[str, str], content: bytes) -> Arrival:
        change = parse_change(headers, content, pattern)
        writer = _writer(change)
        return Arrival(
            arguments={DocumentDelivery: change},
            event_id=change.event_id,
            correlation_id=writer.get("correlation_id"),
            causation_id=change.event_id,
            traceparent=writer.get("traceparent"),
        )

    def decorate(handler: Handler) -> Served[Handler]:
        name = function_name(handler)
        parameters = bind_event(handler, {DocumentDelivery, Context}, body=False)
        pipeline = EventPipeline(handler, name, declaration.timeout, parameters, parse)
        return serve(handler, name, declaration, pipeline)

    return decorate


def _writer(change: DocumentDelivery) -> Mapping[str, str]:
    """Return what the writer of the new version left of itself; a deletion has none, the last writer did not delete."""
    said = None if change.after is None else change.after.fields.get(WRITER)
    return {name: text for name, text in said.items() if isinstance(text, str)} if isinstance(said, Mapping) else {}
