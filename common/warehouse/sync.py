"""The warehouse sync: a domain event becomes a row of the log, then what depends on the row is woken."""

from __future__ import annotations

from common.cache import invalidate
from common.context import Context
from common.erasures import is_superseded
from common.events import Envelope
from common.registry import EntityRecord, entities
from common.warehouse.log import append_together
from common.warehouse.marks import EVERYTHING, MERGE, set_marks
from common.warehouse.rows import row_of
from common.warehouse.tables import relations


def handle(context: Context, envelope: Envelope) -> None:
    """Store one change in the warehouse; when this returns, it is in the log and whoever waits for it is woken.

    A change that was made before an erasure of its document is not stored: it would bring back what was erased.

    Raises:
        PoisonEvent: The change does not fit the entity's table.
        Unavailable: A dependency does not answer; delivering the event again is harmless.
    """
    entity = entities().get(envelope.payload.entity)
    if entity is None or entity.table is None:
        return
    own = context.for_tenant(envelope.tenant_id)
    change = envelope.payload
    if entity.personal and is_superseded(own, change.document, change.sequence):
        wake(own, entity)
        return
    row = row_of(entity.table, envelope)
    log = relations(own.clients.settings.project, envelope.tenant_id, entity).log
    append_together(own, log, row, appended=lambda: wake(own, entity))


def wake(context: Context, entity: EntityRecord) -> None:
    """Mark the work that new rows of an entity make due and drop the cached answers they make stale.

    Raises:
        Unavailable: Firestore or Redis does not answer.
    """
    marks = [(purpose, EVERYTHING) for purpose in entity.wakes]
    if entity.table is not None and not entity.table.immutable:
        marks.append((MERGE, entity.name))
    set_marks(context, context.tenant_id, marks)
    stale = [namespace for namespace, source in entity.caches.items() if source == "warehouse"]
    invalidate(context.clients, context.tenant_id, stale)
