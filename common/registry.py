"""The entities as data: what mechanisms that serve every domain know of them, without importing any domain.

``common/entities.json`` is generated from the declarations (``nox -s manifest``) and committed; a stale file fails the
check. The relay, the warehouse sync and the cache invalidation read it here.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

ENTITIES_FILE = Path(__file__).with_name("entities.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class TableRecord:
    """A warehouse table, as in ``common.entity.Table``."""

    dataset: str
    name: str
    key: str
    columns: Mapping[str, str]
    partition: str | None
    cluster: tuple[str, ...]
    immutable: bool

    def dataset_of(self, tenant_id: str) -> str:
        """Return the data set id for a tenant."""
        return self.dataset.replace("{tenant_id}", tenant_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonalRecord:
    """A field with personal data, as in ``common.entity.Personal``.

    Attributes:
        repeated: Whether it is a list.
        emptied: What stands for nothing in it: None, ``""``, ``[]`` or ``{}``.
    """

    field: str
    kind: Literal["user_id", "email", "name", "phone", "address", "network", "picture", "text"]
    erasure: Literal["delete", "clear", "pseudonymise"]
    of: str | None
    repeated: bool = False
    emptied: Any = None

    @property
    def identifies(self) -> bool:
        """Whether people are found by it."""
        return self.kind in {"user_id", "email"}


@dataclass(frozen=True, kw_only=True, slots=True)
class UniqueRecord:
    """A rule of uniqueness, as in ``common.entity.Unique``; the fields by their stored names."""

    name: str
    fields: tuple[str, ...]
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EntityRecord:
    """An entity, as in ``common.entity.Entity``, without its model.

    Attributes:
        caches: Cache namespace to the store its answers come from.
    """

    name: str
    domain: str
    collection: str
    location: Literal["shared", "tenant"]
    key: str
    events: Mapping[str, str]
    table: TableRecord | None
    caches: Mapping[str, Literal["firestore", "warehouse"]]
    wakes: tuple[str, ...]
    personal: tuple[PersonalRecord, ...]
    purpose: str = ""
    secret: tuple[str, ...]
    private: tuple[str, ...] = ()
    audited: Literal["all", "changes", "creations", "never"] = "all"
    unaudited: tuple[str, ...] = ()
    revertible: tuple[str, ...] = ()
    restorable: tuple[str, ...] = ()
    kept: Mapping[str, str] = dataclasses.field(default_factory=dict)
    untenanted: bool = False
    schema_version: int
    retention: str = "tenant_life"
    aged_by: str | None = None
    aged_by_day: bool = False
    ttl: str | None = None
    unique: tuple[UniqueRecord, ...] = ()

    @property
    def topic(self) -> str:
        """Topic id of the domain's events."""
        return f"{self.domain}-events"


@dataclass(frozen=True, kw_only=True, slots=True)
class FactsRecord:
    """Measurements that go straight into the warehouse, as in ``common.entity.Facts``.

    Attributes:
        caches: Names of the cache namespaces that new rows make stale.
    """

    name: str
    domain: str
    table: TableRecord
    caches: tuple[str, ...]
    wakes: tuple[str, ...]
    personal: tuple[PersonalRecord, ...]
    purpose: str = ""
    schema_version: int
    retention: str = "tenant_life"


def _entity(record: Mapping[str, Any]) -> EntityRecord:
    table = record["table"]
    return EntityRecord(
        name=record["name"],
        domain=record["domain"],
        collection=record["collection"],
        location=record["location"],
        key=record["key"],
        events=record["events"],
        table=None if table is None else _table(table),
        caches={cache["name"]: cache["source"] for cache in record["caches"]},
        wakes=tuple(record["wakes"]),
        personal=_personal(record["personal"]),
        purpose=record["purpose"],
        secret=tuple(record["secret"]),
        private=tuple(record["private"]),
        audited=record["audited"],
        unaudited=tuple(record["unaudited"]),
        revertible=tuple(record["revertible"]),
        restorable=tuple(record["restorable"]),
        kept=record["kept"],
        untenanted=record["untenanted"],
        schema_version=record["schema_version"],
        retention=record["retention"],
        aged_by=record["aged_by"],
        aged_by_day=record["aged_by_day"],
        ttl=record["ttl"],
        unique=tuple(UniqueRecord(**{**rule, "fields": tuple(rule["fields"])}) for rule in record["unique"]),
    )


def _personal(records: Iterable[Mapping[str, Any]]) -> tuple[PersonalRecord, ...]:
    return tuple(PersonalRecord(**record) for record in records)


def _table(record: Mapping[str, Any]) -> TableRecord:
    return TableRecord(**{**record, "cluster": tuple(record["cluster"])})


def _facts(record: Mapping[str, Any]) -> FactsRecord:
    return FactsRecord(
        name=record["name"],
        domain=record["domain"],
        table=_table(record["table"]),
        caches=tuple(cache["name"] for cache in record["caches"]),
        wakes=tuple(record["wakes"]),
        personal=_personal(record["personal"]),
        purpose=record["purpose"],
        schema_version=record["schema_version"],
        retention=record["retention"],
    )


@functools.cache
def entities() -> Mapping[str, EntityRecord]:
    """Return every entity by name."""
    return {record["name"]: _entity(record) for record in _declared()["entities"]}


@functools.cache
def facts() -> Mapping[str, FactsRecord]:
    """Return every kind of fact by name."""
    return {record["name"]: _facts(record) for record in _declared()["facts"]}


def _declared() -> Mapping[str, Any]:
    declared: Mapping[str, Any] = json.loads(ENTITIES_FILE.read_text(encoding="utf-8"))
    return declared


@functools.cache
def _by_collection() -> Mapping[tuple[str, str], EntityRecord]:
    return {(entity.location, entity.collection): entity for entity in entities().values()}


def entity_of_collection(collection: str, location: Literal["shared", "tenant"]) -> EntityRecord | None:
    """Return the entity stored in a collection, or None for a collection nobody declared."""
    return _by_collection().get((location, collection))
