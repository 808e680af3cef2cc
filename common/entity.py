"""The declaration of an entity: written once per entity, read by everything that stores, moves or queries it.

From a declaration come the Firestore repository, uniqueness keys, indexes and TTL policies, the BigQuery tables, the
events the relay publishes, the caches a change makes stale, the scans a change wakes, and the personal-data map.
Mechanisms that serve every domain (relay, sync, invalidation) read the generated ``common/entities.json`` through
``common.registry`` and so import no domain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from common.model import Model

EntityModel = TypeVar("EntityModel", bound=Model)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unique:
    """A rule of uniqueness per tenant, kept by a key document in the same transaction (Firestore has no constraint).

    Attributes:
        name: Name of the rule, such as ``url``.
        fields: Fields whose values together are unique; a document in which any is None is exempt.
        code: Problem code of the refusal, such as ``url_taken``.
    """

    name: str
    fields: tuple[str, ...]
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """A composite index of Firestore.

    Attributes:
        fields: Field names in order; a leading ``-`` means descending, a trailing ``[]`` the elements of a list.
            ``__name__`` is added by Firestore.
    """

    fields: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """The entity's tables in BigQuery: current state under ``name`` and the log of changes under ``{name}_changes``.

    Attributes:
        dataset: Data set template: ``aso_tenant_{tenant_id}`` or a fixed name.
        name: Table name of document 000.
        key: Field that identifies a row.
        columns: Column name to BigQuery type and mode in order: ``"STRING NOT NULL"``, ``"ARRAY<STRING>"``, ``"JSON"``.
            Named after the document's fields; ``schema_version`` and the technical columns are added by the warehouse.
        partition: Column whose day partitions the current table; None leaves it unpartitioned.
        cluster: Clustering columns, at most four.
        immutable: Rows never change (observations): the log itself is the table, no merge is needed.
    """

    dataset: str
    name: str
    key: str
    columns: Mapping[str, str]
    partition: str | None = None
    cluster: tuple[str, ...] = ()
    immutable: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Namespace:
    """A cache namespace of document 000.

    Attributes:
        name: Such as ``aso_stats``.
        ttl: Seconds.
        source: Which store the cached answers are computed from. Answers from Firestore go stale when the change
            commits; answers from the warehouse when the change has arrived there, so the sync drops those.
    """

    name: str
    ttl: int
    source: Literal["firestore", "warehouse"]


PersonalKind = Literal["user_id", "email", "name", "phone", "address", "network", "picture", "text"]
"""What a personal field holds. People are found by ``user_id`` and ``email``; the others are found beside those."""

Erasure = Literal["delete", "clear", "pseudonymise"]
"""What an erasure does: the whole document goes, the field is emptied, or it becomes ``erased-<keyed digest>``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Personal:
    """A field that holds data about a person: where the person is found, exported and erased.

    Attributes:
        field: Field of the document (by its stored name), or column of the facts. A list counts as a whole: people are
            found in it by ``array_contains``, and an erasure touches their own element only.
        kind: What it holds. ``user_id`` and ``email`` are what a person is found by: each needs an equality query, so
            it must not be among ``unindexed``.
        erasure: ``delete``: the record is about this person alone and goes; ``clear``: None, ``""`` or ``[]``,
            whichever the model allows; ``pseudonymise``: the same digest wherever the same value stood, so that
            records of one person still belong together. Fields of a kind people are not found by are treated so in
            every record in which the person was found by another field.
        of: The identifying field of this record that tells whose data it is; None where the record has one person
            only. A record of two people (who wrote, who was written to) names it, so that only the erased person's
            values go.
    """

    field: str
    kind: PersonalKind
    erasure: Erasure
    of: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Measurements that go straight into the warehouse: too many for a document each, and never changed one by one.

    No document, no event and no backfill belong to them; ``common.warehouse.facts`` writes and retracts them in
    batches.

    Attributes:
        name: Singular snake_case name, such as ``search_performance``.
        domain: Owning domain.
        table: The table; its key identifies a measurement, and the newest sequence of a key counts. It is partitioned,
            and ``immutable``: rows are only ever added.
        caches: Namespaces that new rows make stale; those of the warehouse.
        wakes: Names of scans that new rows make due.
        personal: Columns with personal data.
        impersonal: Columns that look personal and are not, with the reason.
        purpose: Why the tenant keeps it, in a sentence; printed in the processing inventory.
        retention: Name of the class in ``common.retention``; the age of a row is counted from the table's partition.
        schema_version: Version of the schema.
    """

    name: str
    domain: str
    table: Table
    caches: tuple[Namespace, ...] = ()
    wakes: tuple[str, ...] = ()
    personal: tuple[Personal, ...] = ()
    impersonal: Mapping[str, str] = field(default_factory=dict)
    purpose: str = ""
    retention: str = "tenant_life"
    schema_version: int = 1


@dataclass(frozen=True, kw_only=True)
class Entity(Generic[EntityModel]):
    """One kind of document.

    Attributes:
        name: Singular snake_case name, such as ``content_piece``.
        domain: Owning domain; its events go to the topic ``{domain}-events``.
        model: Pydantic model of the document. Document fields are the model's fields (by alias).
        collection: Collection id: top level (``content_pieces/{id}`` with a ``tenant_id`` field), or under the tenant.
        key: Field that equals the document id.
        location: ``shared`` for a top-level collection, ``tenant`` for ``tenants/{tenant_id}/{collection}/{id}``.
        events: Event type by operation. Where a status has its own event: ``{"updated:status=published": ...}``.
        unique: Rules of uniqueness.
        indexes: Composite indexes that the code's queries need.
        unindexed: Fields exempt from single-field indexes (large or never queried).
        ttl: Field with the time after which Firestore deletes the document; operational records only.
        table: Tables in BigQuery, if the entity is synchronised.
        caches: Namespaces that a change makes stale.
        wakes: Names of scans that a change makes due, such as ``aso-opportunity-scan``.
        personal: Fields with personal data.
        impersonal: Fields that look personal (by name or type) and are not, with the reason: ``{"name": "of a
            company"}``. A test asks for it.
        purpose: Why the tenant keeps it, in a sentence; printed in the processing inventory. Required where anything
            is personal.
        retention: Name of the class in ``common.retention`` that says how long records are kept.
        aged_by: Field (a time or a day) that the age of a record is counted from; required where the class ends by
            age, together with an index that begins with it (behind ``tenant_id`` in a top-level collection). A record
            in which it is None is not over.
        secret: Fields that never leave Firestore: not in events, logs, the warehouse or exports.
        private: Fields whose content the audit trail never copies (texts of messages, notes): it keeps that they
            changed and how large they are.
        audited: Which changes the audit trail records: ``all``; ``changes``, all but creations, for observations that
            are themselves the record of what happened; ``creations``, for records that only ever expire; ``never``,
            for the trail's own documents only.
        unaudited: Fields in motion (progress, leases): a change of nothing else is not recorded by the audit trail.
        revertible: Fields (by stored name) that a revert of a recorded change may set back: what people enter, and no
            other document depends on. A change of any other field is not reverted.
        restorable: What else a revert may undo: ``created`` (the document is deleted), ``deleted`` (it is made again);
            for documents that nothing hangs on.
        kept: Why other fields are not set back: the field (``*`` for all others) to the reason, told to who asks.
        untenanted: Whether the platform keeps documents of its own of this kind, with the tenant ``_platform``.
        readers: Roles whose own clients may read the documents in Firestore directly; None: those of the domain,
            empty: nobody.
        writable: Model of the fields that people of the tenant may change in Firestore directly, past the functions;
            the security rules are made from it. None: the functions write alone.
        schema_version: Version of the schema.
    """

    name: str
    domain: str
    model: type[EntityModel]
    collection: str
    key: str
    events: Mapping[str, str]
    location: Literal["shared", "tenant"] = "shared"
    unique: tuple[Unique, ...] = ()
    indexes: tuple[Index, ...] = ()
    unindexed: tuple[str, ...] = ()
    ttl: str | None = None
    table: Table | None = None
    caches: tuple[Namespace, ...] = ()
    wakes: tuple[str, ...] = ()
    personal: tuple[Personal, ...] = ()
    impersonal: Mapping[str, str] = field(default_factory=dict)
    purpose: str = ""
    retention: str = "tenant_life"
    aged_by: str | None = None
    secret: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    audited: Literal["all", "changes", "creations", "never"] = "all"
    unaudited: tuple[str, ...] = ()
    revertible: tuple[str, ...] = ()
    restorable: tuple[Literal["created", "deleted"], ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    untenanted: bool = False
    readers: tuple[str, ...] | None = None
    writable: type[Model] | None = None
    schema_version: int = 1
