"""The processing inventory: what is kept about people, why, for how long and where, from the declarations alone."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common import retention
from common.context import Context
from common.model import Model
from common.platform.privacy.rules import identifying
from common.platform.privacy.stores.technical import RULES
from common.registry import EntityRecord, FactsRecord, entities, facts
from common.retention import RetentionClass

Erasure = Literal["delete", "clear", "pseudonymise"]


class InventoryField(Model):
    """A field with personal data."""

    field: str = Field(examples=["email"])
    kind: str = Field(description="What it holds.", examples=["email"])
    erasure: Erasure = Field(description="What an erasure does to it.", examples=["delete"])
    identifies: bool = Field(description="Whether people are found by it.", examples=[True])


class InventoryCopies(Model):
    """Where copies of a kind of record live."""

    warehouse: list[str] = Field(description="Tables of BigQuery.", examples=[["keywords", "keywords_changes"]])
    caches: list[str] = Field(description="Namespaces of cached answers.", examples=[["aso_keywords"]])
    events: str | None = Field(description="Topic of its events.", examples=["aso-events"])
    audit: bool = Field(description="Whether changes of it are in the audit trail.", examples=[True])


class InventoryRetention(Model):
    """How long it is kept."""

    name: str = Field(examples=["tenant_life"])
    days: int | None = Field(description="Unless the tenant chose otherwise; null: while the tenant lives.")
    reason: str = Field(examples=["What the tenant works with stays until the tenant deletes it."])
    source: str = Field(examples=["GDPR art. 5(1)(e)"])


class InventoryEntry(Model):
    """A kind of record with personal data."""

    name: str = Field(examples=["user"])
    domain: str = Field(examples=["tenants"])
    stored_in: Literal["firestore", "bigquery"] = Field(examples=["firestore"])
    purpose: str = Field(examples=["Who may work in the tenant, in which role."])
    retention: InventoryRetention
    fields: list[InventoryField]
    copies: InventoryCopies
    not_exported: list[str] = Field(description="Secret fields, which never leave Firestore.", examples=[[]])


class InventoryTechnical(Model):
    """A technical collection that may name people on its way."""

    collection: str = Field(examples=["idempotency/records"])
    content: str = Field(examples=["Answers of a day, kept for repeated requests."])
    erasure: str = Field(examples=["withhold"])


class Inventory(Model):
    """What is processed about people."""

    entries: list[InventoryEntry]
    technical: list[InventoryTechnical]
    every_document: str = Field(
        description="What is personal in every document, whatever its kind.",
        examples=["Who wrote it last, as a user id, until somebody else writes it or the person is erased."],
    )


EVERY_DOCUMENT = "Who wrote it last, as a user id, until somebody else writes it or the person is erased."


def read(context: Context) -> Inventory:
    """Return the inventory of the deployment; it is the same for every tenant."""
    del context
    kept = [_entry(each, "firestore") for each in entities().values() if each.personal]
    kept += [_entry(each, "bigquery") for each in facts().values() if each.personal]
    technical = [
        InventoryTechnical(collection=path.removeprefix("system/"), content=rule.reason, erasure=rule.how)
        for path, rule in sorted(RULES.items())
        if rule.how != "leave"
    ]
    entries = sorted(kept, key=lambda each: (each.domain, each.name))
    return Inventory(entries=entries, technical=technical, every_document=EVERY_DOCUMENT)


def _entry(declared: EntityRecord | FactsRecord, stored_in: Literal["firestore", "bigquery"]) -> InventoryEntry:
    finders = {each.field for each in identifying(declared.personal)}
    fields = [
        InventoryField(field=each.field, kind=each.kind, erasure=each.erasure, identifies=each.field in finders)
        for each in declared.personal
    ]
    return InventoryEntry(
        name=declared.name,
        domain=declared.domain,
        stored_in=stored_in,
        purpose=declared.purpose,
        retention=_retention(retention.CLASSES[declared.retention]),
        fields=fields,
        copies=_copies(declared),
        not_exported=list(declared.secret) if isinstance(declared, EntityRecord) else [],
    )


def _retention(found: RetentionClass) -> InventoryRetention:
    return InventoryRetention(name=found.name, days=found.days, reason=found.reason, source=found.source)


def _copies(declared: EntityRecord | FactsRecord) -> InventoryCopies:
    if isinstance(declared, FactsRecord):
        return InventoryCopies(warehouse=[declared.table.name], caches=list(declared.caches), events=None, audit=False)
    personal = {each.field for each in declared.personal}
    tables = []
    if declared.table is not None and personal & declared.table.columns.keys():
        names = (declared.table.name, f"{declared.table.name}_changes")
        tables = list(names[:1] if declared.table.immutable else names)
    told = declared.topic if declared.events or declared.table is not None else None
    return InventoryCopies(
        warehouse=tables, caches=list(declared.caches), events=told, audit=declared.audited != "never"
    )
