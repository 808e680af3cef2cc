"""Entries of the audit trail: as they are stored, and as people see them."""

from __future__ import annotations

import json
import uuid
from typing import Any, Literal

from pydantic import ConfigDict, Field

from common.model import Model, Timestamp

Operation = Literal["created", "updated", "deleted", "refused", "done", "found", "redacted"]
ActorKind = Literal["key", "user", "operator", "service", "anonymous", "unknown"]
State = Literal["shown", "cut", "private", "secret", "redacted"]


class Exact(Model):
    """A part of an entry: texts stay as they were, white space included."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=False)


class Side(Exact):
    """A field's value on one side of a change.

    Attributes:
        state: ``shown``; ``cut``: too large, ``value`` is its beginning; ``private``: content that is not copied;
            ``secret``: something nobody sees; ``redacted``: erased since.
        value: The value as JSON; None unless shown or cut.
        size: Bytes of its canonical JSON; None for secrets.
        sha256: Digest of its canonical JSON, where it was cut and is not personal.
        commitment: Where the field is personal: SHA-256 of salt and value (what is kept of it, where it was cut).
        salt: Hexadecimal; None once the value is redacted.
    """

    state: State
    value: Any = None
    size: int | None = None
    sha256: str | None = None
    commitment: str | None = None
    salt: str | None = None


class FieldChange(Exact):
    """What a change did to one field.

    Attributes:
        field: Name of the field in the document.
        old: Its value before; None where the document had no such field, or did not exist.
        new: Its value afterwards, likewise.
    """

    field: str
    old: Side | None = None
    new: Side | None = None


class Committed(Exact):
    """The commitment to a personal value that stands in an entry itself, such as who acted."""

    commitment: str
    salt: str | None


class AuditEntry(Exact):
    """An entry as it is stored; written once, and changed by redaction only.

    Attributes:
        entry_id: Id of the event that told of the change.
        tenant_id: Whose trail.
        entity: Kind of the document.
        document_id: The document.
        operation: ``created``, ``updated`` or ``deleted``; of security events ``refused``, ``done`` or ``found``;
            ``redacted`` tells that values of other entries were erased.
        event_type: Type of the event.
        code: Code of a security event.
        at: When the change was committed.
        sequence: Version of the document: microseconds since the epoch.
        schema_version: Version of the entity's schema that wrote the document.
        actor_kind: Kind of who acted; ``unknown`` where a client wrote to Firestore directly.
        actor_id: Who acted.
        function: Function that wrote.
        request_id: Request in which it was written.
        correlation_id: Request that the chain began with.
        causation_id: What directly caused it.
        reverts: The entry whose change this one set back.
        fields: Names of the fields that changed, the first 200.
        changes: JSON of the list of ``FieldChange``; a text, because values nest deeper than documents may.
        left_out: Fields that changed and have no place in ``changes``.
        left_out_sha256: Digest over the names of those.
        committed: Personal values of the entry itself by field, with their commitments.
        identified: Digests of the people in the document, by the field in which each was found; ``actor_id`` and
            ``document_id`` mean the entry's own.
        subjects: All those digests.
        recorded_at: When the trail took it.
        redacted_at: When a value of it was last erased.
        erased_before: Whether somebody in it had been erased before the trail took it.
    """

    entry_id: uuid.UUID
    tenant_id: str
    entity: str
    document_id: str
    operation: Operation
    event_type: str
    code: str | None = None
    at: Timestamp
    sequence: int
    schema_version: int = 1
    actor_kind: ActorKind
    actor_id: str | None = None
    function: str | None = None
    request_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    reverts: uuid.UUID | None = None
    fields: list[str] = Field(default_factory=list)
    changes: str = "[]"
    left_out: int = 0
    left_out_sha256: str | None = None
    committed: dict[str, Committed] = Field(default_factory=dict)
    identified: dict[str, list[str]] = Field(default_factory=dict)
    subjects: list[str] = Field(default_factory=list)
    recorded_at: Timestamp
    redacted_at: Timestamp | None = None
    erased_before: bool = False

    def field_changes(self) -> list[FieldChange]:
        """Return what changed, field by field."""
        return [FieldChange.model_validate(each) for each in json.loads(self.changes)]


class SideView(Model):
    """A field's value on one side of a change."""

    state: State = Field(
        description="`shown`; `cut`: too large, `value` is its beginning; `private`: content that is not copied; "
        "`secret`: `[secret]`, it is only known that it changed; `redacted`: erased since.",
        examples=["shown"],
    )
    value: Any = Field(default=None, description="The value; null unless shown or cut.", examples=["high"])
    size: int | None = Field(default=None, description="Bytes of its JSON.", examples=[6])
    sha256: str | None = Field(default=None, description="Digest of the JSON of a value that was cut.")


class ChangeView(Model):
    """What a change did to one field."""

    field: str = Field(examples=["priority"])
    old: SideView | None = Field(description="Null where there was no such field before.")
    new: SideView | None = Field(description="Null where there is no such field afterwards.")


class EntrySummary(Model):
    """An entry of the audit trail without values."""

    entry_id: uuid.UUID = Field(examples=["4d1f6c3a-0b7e-5a3c-9d55-0d3f1b2c4d5e"])
    at: Timestamp = Field(description="When the change was committed.", examples=["2026-01-31T12:00:00.000000Z"])
    entity: str = Field(examples=["keyword"])
    document_id: str = Field(examples=["0198c5f2-7c1e-7d53-9a3b-1f6f0c2d4e5f"])
    operation: Operation = Field(examples=["updated"])
    event_type: str = Field(examples=["keyword-upserted"])
    code: str | None = Field(default=None, description="Code of a security event.", examples=["last_admin"])
    fields: list[str] = Field(description="Fields that changed, the first 200.", examples=[["priority"]])
    actor_kind: ActorKind = Field(
        description="`unknown` where a client wrote to Firestore directly.", examples=["user"]
    )
    actor_id: str | None = Field(examples=["4fYQ7p2c"])
    function: str | None = Field(default=None, examples=["aso-keyword-upsert"])
    request_id: str | None = Field(default=None, examples=["0b4f7c0e-3b57-4c8e-9b1e-5f6f0c2d4e5f"])
    correlation_id: str | None = Field(default=None, examples=["0b4f7c0e-3b57-4c8e-9b1e-5f6f0c2d4e5f"])
    reverts: uuid.UUID | None = Field(default=None, description="The entry whose change this one set back.")
    redacted: bool = Field(default=False, description="Whether values were erased on a person's request.")


class EntryView(EntrySummary):
    """An entry of the audit trail, field by field."""

    sequence: int = Field(
        description="Version of the document after the change: microseconds since the epoch.",
        examples=[1769860800000000],
    )
    schema_version: int = Field(examples=[1])
    causation_id: str | None = Field(default=None, description="What directly caused the change.")
    changes: list[ChangeView]
    left_out: int = Field(
        default=0, description="Fields that changed besides these; the entry had no room for them.", examples=[0]
    )
    recorded_at: Timestamp = Field(examples=["2026-01-31T12:00:01.000000Z"])


class AuditQuery(Model):
    """What to look for; all conditions together."""

    entity: str | None = Field(default=None, max_length=64, description="Kind of document.", examples=["keyword"])
    document_id: str | None = Field(default=None, min_length=1, max_length=1500, examples=["0198c5f2"])
    actor_id: str | None = Field(
        default=None, min_length=1, max_length=256, description="User, key or operator.", examples=["4fYQ7p2c"]
    )
    operation: Operation | None = Field(default=None, examples=["updated"])
    field: str | None = Field(
        default=None, min_length=1, max_length=256, description="Changes of this field.", examples=["priority"]
    )
    code: str | None = Field(
        default=None, max_length=64, description="Code of a refusal or another security event.", examples=["last_admin"]
    )
    from_: Timestamp | None = Field(
        default=None, alias="from", description="Not before.", examples=["2026-01-01T00:00:00Z"]
    )
    to: Timestamp | None = Field(default=None, description="Before.", examples=["2026-02-01T00:00:00Z"])
    limit: int = Field(default=50, ge=1, le=200, examples=[50])
    cursor: str | None = Field(default=None, max_length=4096)


class HistoryQuery(Model):
    """Query of the history of a document."""

    limit: int = Field(default=50, ge=1, le=200, examples=[50])
    cursor: str | None = Field(default=None, max_length=4096)
