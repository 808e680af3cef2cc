"""Records of entities of the tests' own, as the registry would hold them."""

from __future__ import annotations

import dataclasses

from common import registry
from common.registry import EntityRecord, PersonalRecord, TableRecord

DATASET = "aso_tenant_{tenant_id}"


def personal(field: str, kind: str, erasure: str, of: str | None = None, *, repeated: bool = False) -> PersonalRecord:
    return PersonalRecord(field=field, kind=kind, erasure=erasure, of=of, repeated=repeated)  # type: ignore[arg-type]


def table(name: str, columns: dict[str, str], *, immutable: bool = False, partition: str | None = None) -> TableRecord:
    return TableRecord(
        dataset=DATASET, name=name, key="id", columns={"id": "STRING NOT NULL", **columns}, partition=partition,
        cluster=(), immutable=immutable,
    )  # fmt: skip


def entity(name: str, held: TableRecord, *fields: PersonalRecord) -> EntityRecord:
    template = registry.entities()["job"]
    return dataclasses.replace(template, name=name, key="id", table=held, personal=fields, caches={})
