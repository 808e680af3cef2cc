"""Which cached answers a change makes stale."""

from __future__ import annotations

from common.cache import invalidate
from common.context import Context
from common.events import Envelope
from common.registry import entities


def handle(context: Context, envelope: Envelope) -> None:
    """Drop the answers that were computed from Firestore and may hold what the change replaced.

    Raises:
        Unavailable: Redis is there but does not answer; delivering the event again is harmless.
    """
    entity = entities().get(envelope.payload.entity)
    if entity is None:
        return
    namespaces = [namespace for namespace, source in entity.caches.items() if source == "firestore"]
    invalidate(context.clients, envelope.tenant_id, namespaces)
