"""The relay: a change of a document becomes a domain event, the same bytes however often the change is delivered."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.api_keys import tenant_state
from common.clients.firestore import firestore_client
from common.context import PLATFORM_TENANT, TENANT_ID, Context
from common.deliveries import DocumentDelivery, DocumentVersion
from common.errors import PoisonEvent
from common.events import Change, Envelope, EventMetadata, Operation, event_id_of, sequence_of
from common.firestore_calls import bounded, translated
from common.model import rfc3339
from common.publish import publish
from common.registry import EntityRecord, entity_of_collection
from common.tenant_state import tenant_path
from common.tombstones import tombstone_path

META = "_meta"
META_ERASURE = "erasure"
"""Entry of the technical map that names the erasure that a change is part of."""
TENANT_FIELDS = ("tenant_id", "tenantId")


@dataclass(frozen=True, kw_only=True, slots=True)
class EventMessage:
    """An event as Pub/Sub carries it.

    Attributes:
        topic: Topic id.
        data: JSON of the envelope, names sorted.
        attributes: What subscriptions filter by, and the event's attributes as a CloudEvent, so that a push without
            wrapper is one (https://github.com/cloudevents/spec, HTTP binding, binary mode).
        ordering_key: Path of the document.
    """

    topic: str
    data: bytes
    attributes: Mapping[str, str]
    ordering_key: str


def relay(context: Context, change: DocumentDelivery) -> None:
    """Publish the domain event of a change.

    Changes of collections that nobody declared are ignored, and so are operations without an event of entities that
    are neither in the warehouse nor audited. Of a tenant that is being erased nothing is told but that it is gone: an
    event would carry the document to places from which it has just been erased.

    Raises:
        PoisonEvent: A declared collection holds a document that no event can be made of.
        Unavailable: Firestore or Pub/Sub does not answer; the change will be delivered again.
    """
    entity = entity_of(change)
    if entity is None:
        return
    event_type = event_type_of(entity, change)
    if event_type is None:
        return
    envelope = envelope_of(entity, change, metadata_of(context, change), event_type)
    if change.path != tenant_path(envelope.tenant_id) and _is_leaving(context, envelope.tenant_id):
        return
    message = message_of(entity, envelope)
    publish(context.clients, message.topic, message.data, message.attributes, message.ordering_key)


def _is_leaving(context: Context, tenant_id: str) -> bool:
    state = tenant_state(context.clients, tenant_id)
    return state is not None and state.is_leaving


def entity_of(change: DocumentDelivery) -> EntityRecord | None:
    """Return the entity that a changed document is of, or None."""
    match change.path.split("/"):
        case [collection, _]:
            return entity_of_collection(collection, "shared")
        case ["tenants", _, collection, _]:
            return entity_of_collection(collection, "tenant")
        case _:
            return None


def envelope_of(entity: EntityRecord, change: DocumentDelivery, metadata: EventMetadata, event_type: str) -> Envelope:
    """Return the domain event of a change.

    Raises:
        PoisonEvent: ``change_empty``, ``tenant_missing``, ``tenant_mismatch``.
    """
    operation, version = _operation_of(change)
    sequence = sequence_of(version.update_time, operation)
    before = {} if change.before is None else _visible(entity, change.before)
    data = _visible(entity, version)
    changed = [] if operation == "deleted" else _changed_fields(before, data)
    if metadata.erasure is not None:
        erased = _erased(entity)
        before = {name: value for name, value in before.items() if name not in erased}
        if operation == "deleted":
            data = {name: value for name, value in data.items() if name not in erased}
    schema_version = version.fields.get("schema_version")
    return Envelope(
        event_type=event_type,
        event_id=event_id_of(change.path, sequence),
        timestamp=change.time if operation == "deleted" else version.update_time,
        tenant_id=_tenant_of(entity, change.path, version),
        source_service=entity.domain,
        schema_version=schema_version if isinstance(schema_version, int) else entity.schema_version,
        payload=Change(
            entity=entity.name,
            document=change.path,
            document_id=change.path.rpartition("/")[2],
            operation=operation,
            sequence=sequence,
            data=data,
            before={name: before[name] for name in changed if name in before},
            changed_fields=changed,
            secret_changed=_secret_changed(entity, change),
        ),
        metadata=metadata,
    )


def _erased(entity: EntityRecord) -> set[str]:
    """Return the fields that events of an erasure leave out: what was personal, but for the document's own key."""
    return {each.field.partition(".")[0] for each in entity.personal} - {entity.key}


def _operation_of(change: DocumentDelivery) -> tuple[Operation, DocumentVersion]:
    if change.after is not None:
        return ("created" if change.before is None else "updated"), change.after
    if change.before is not None:
        return "deleted", change.before
    raise PoisonEvent("change_empty", f"{change.path}: the change carries neither the old nor the new document")


def _visible(entity: EntityRecord, version: DocumentVersion) -> dict[str, Any]:
    """Return a version as JSON values, without technical and secret fields."""
    hidden = {META, *entity.secret}
    return {name: json_value(value) for name, value in sorted(version.fields.items()) if name not in hidden}


def json_value(value: object) -> Any:
    """Return a Firestore value as JSON can carry it.

    Times are RFC 3339 with microseconds, bytes base64, references their path, geographic points stay maps; the numbers
    JSON has no word for are ``"NaN"``, ``"Infinity"`` and ``"-Infinity"`` (as protobuf and BigQuery write them).

    Raises:
        PoisonEvent: ``value_unknown``: Firestore has no such value.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
        case datetime():
            return rfc3339(value)
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case {"reference": str(path), **rest} if not rest:
            return path
        case Mapping():
            return {str(name): json_value(item) for name, item in value.items()}
        case Sequence():
            return [json_value(item) for item in value]
        case _:
            raise PoisonEvent("value_unknown", f"a {type(value).__name__} is no value of Firestore")


def _secret_changed(entity: EntityRecord, change: DocumentDelivery) -> list[str]:
    """Return the names of secret fields that the change touched."""
    before, after = ({} if each is None else each.fields for each in (change.before, change.after))
    return [
        name
        for name in sorted(entity.secret)
        if (name in before) != (name in after)
        or _text(json_value(before.get(name))) != _text(json_value(after.get(name)))
    ]


def _changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of fields that differ; unlike in Python, 1, 1.0 and True differ."""
    names = sorted({*before, *after})
    return [
        name
        for name in names
        if (name in before) != (name in after) or _text(before.get(name)) != _text(after.get(name))
    ]


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def event_type_of(entity: EntityRecord, change: DocumentDelivery) -> str | None:
    """Return the event type of a change, or None where nobody asked for one.

    A rule ``updated:status=published`` fires when the field became that value. Where the declaration is silent but the
    warehouse or the audit trail needs every change, the type is made of the names: ``content-piece-updated``.

    Raises:
        PoisonEvent: ``change_empty``.
    """
    operation, version = _operation_of(change)
    before = {} if change.before is None else _visible(entity, change.before)
    data = _visible(entity, version)
    changed = [] if operation == "deleted" else _changed_fields(before, data)
    for rule, event_type in entity.events.items():
        name, _, condition = rule.partition(":")
        field, _, wanted = condition.partition("=")
        if name == operation and condition and field in changed and _plain(data.get(field)) == wanted:
            return event_type
    unheard = entity.table is None and entity.audited == "never"
    silent = None if unheard else f"{entity.name.replace('_', '-')}-{operation}"
    return entity.events.get(operation, silent)


def _plain(value: object) -> str | None:
    return value if isinstance(value, str) else _text(value)


def _tenant_of(entity: EntityRecord, path: str, version: DocumentVersion) -> str:
    named = next((version.fields[name] for name in TENANT_FIELDS if name in version.fields), None)
    owner = path.split("/")[1] if entity.location == "tenant" else named
    if entity.untenanted and owner == PLATFORM_TENANT:
        return PLATFORM_TENANT
    if not isinstance(owner, str) or TENANT_ID.fullmatch(owner) is None:
        raise PoisonEvent("tenant_missing", f"{path}: the document names no tenant")
    if named not in {None, owner}:
        raise PoisonEvent("tenant_mismatch", f"{path}: the document names the tenant {named!r}")
    return owner


def metadata_of(context: Context, change: DocumentDelivery) -> EventMetadata:
    """Return who wrote the change and in which chain, as the writer left it in the document or its tombstone.

    A document written past the repository says nothing, or still says who wrote it the last time; the chain of such a
    change begins with the change itself, and its actor is not known.

    Raises:
        Unavailable: Firestore does not answer.
    """
    meta = _tombstone_meta(context, change) if change.after is None else change.after.fields.get(META)
    if not isinstance(meta, Mapping) or _left_alone(change, meta):
        return EventMetadata(correlation_id=change.event_id)
    return EventMetadata(
        correlation_id=_name(meta, "correlation_id") or _name(meta, "request_id") or change.event_id,
        causation_id=_name(meta, "causation_id"),
        traceparent=_name(meta, "traceparent"),
        actor=_name(meta, "actor"),
        request_id=_name(meta, "request_id"),
        function=_name(meta, "function"),
        erasure=_name(meta, META_ERASURE),
    )


def _left_alone(change: DocumentDelivery, meta: Mapping[str, Any]) -> bool:
    """Whether an update left the technical map as the write before had made it."""
    if change.before is None or change.after is None or "write_id" not in meta:
        return False
    return bool(change.before.fields.get(META) == meta)


def _name(meta: Mapping[str, Any], name: str) -> str | None:
    value = meta.get(name)
    return value if isinstance(value, str) else None


def _tombstone_meta(context: Context, change: DocumentDelivery) -> object:
    """Return what the deleter left, unless the tombstone is of another deletion of the same path."""
    client = context.clients.get(firestore_client)
    with translated():
        found = client.document(tombstone_path(change.path)).get(**bounded(context.deadline)).to_dict()
    deleted = None if change.before is None else change.before.update_time
    if not found or not isinstance(found.get("deleted_version"), datetime) or deleted is None:
        return None
    return found.get(META) if found["deleted_version"] == deleted else None


def message_of(entity: EntityRecord, envelope: Envelope) -> EventMessage:
    """Return the message of an event."""
    payload = envelope.payload
    return EventMessage(
        topic=entity.topic,
        data=_text(envelope.model_dump(mode="json")).encode(),
        attributes={
            "event_type": envelope.event_type,
            "tenant_id": envelope.tenant_id,
            "entity": payload.entity,
            "source_service": envelope.source_service,
            "schema_version": str(envelope.schema_version),
            "content-type": "application/json",
            "ce-specversion": "1.0",
            "ce-id": str(envelope.event_id),
            "ce-source": f"/xynergy/{envelope.source_service}",
            "ce-type": f"xynergy.{envelope.event_type}",
            "ce-subject": payload.document,
            "ce-time": rfc3339(envelope.timestamp),
        },
        ordering_key=payload.document,
    )
