"""The domain event: the envelope of document 004 with a schema version, and what travels in it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import ConfigDict, Field

from common.model import Model, Timestamp

EVENT_NAMESPACE = uuid.UUID("6f1c1f0e-5a0c-5b7e-9a55-0d3f1b2c4d5e")
"""Namespace of event ids; changing it would make every redelivered change look new."""

Operation = Literal["created", "updated", "deleted"]


class EventModel(Model):
    """A part of an event. Unknown fields are left out: a newer producer must not stop older consumers in a rollout."""

    model_config = ConfigDict(extra="ignore")


class Change(EventModel):
    """Payload of an entity event: one change of one document.

    Attributes:
        entity: Name of the entity, such as ``content_piece``.
        document: Path of the document, relative to the database.
        document_id: Last segment of the path.
        operation: What happened.
        sequence: Order of the changes of one document: microseconds since the epoch of the document's update time. A
            deletion is one microsecond after the last version: later than everything before it, earlier than a
            re-creation, and the same however often it is delivered.
        data: The document after the change (before it, for a deletion), JSON values, without secret fields.
        before: Old values of the changed fields; empty for a creation.
        changed_fields: Names of top-level fields whose value changed.
        secret_changed: Names of secret fields whose value changed, was set (a creation) or went with the document; the
            values never travel.
    """

    entity: str
    document: str
    document_id: str
    operation: Operation
    sequence: int
    data: dict[str, Any]
    before: dict[str, Any] = Field(default_factory=dict)
    changed_fields: list[str] = Field(default_factory=list)
    secret_changed: list[str] = Field(default_factory=list)


class EventMetadata(EventModel):
    """How an event hangs together with others (document 004).

    Attributes:
        correlation_id: Request that began the chain.
        causation_id: Event or request that directly caused this one.
        traceparent: W3C trace context.
        actor: Kind and id of the principal who acted, such as ``user:4f2a``; None where a client wrote to Firestore
            directly.
        request_id: Request in which the write happened.
        function: Function that wrote.
        erasure: Id of the erasure that made the change; the event then leaves out what was erased.
    """

    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None
    actor: str | None = None
    request_id: str | None = None
    function: str | None = None
    erasure: str | None = None


class Envelope(EventModel):
    """A domain event as published (document 004, plus ``schema_version``).

    Attributes:
        event_type: Such as ``content-created``.
        event_id: UUID derived from the change; equal for every delivery of the same change.
        timestamp: When the change was committed.
        tenant_id: Whose change it is.
        source_service: Domain that owns the entity.
        schema_version: Version of the entity's schema that wrote the document.
        payload: The change.
        metadata: Correlation and causation.
    """

    event_type: str
    event_id: uuid.UUID
    timestamp: Timestamp
    tenant_id: str
    source_service: str
    schema_version: int
    payload: Change
    metadata: EventMetadata


def sequence_of(update_time: datetime, operation: Operation) -> int:
    """Return the sequence of a change from the update time of the version written (deleted: of the last version)."""
    micros = round(update_time.timestamp() * 1_000_000)
    return micros + 1 if operation == "deleted" else micros


def moment_of(sequence: int) -> datetime:
    """Return the time a sequence stands for."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=sequence)


def event_id_of(document: str, sequence: int) -> uuid.UUID:
    """Derive the event id of a change: one document has one change per sequence."""
    return uuid.uuid5(EVENT_NAMESPACE, f"{document}@{sequence}")
