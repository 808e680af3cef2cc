"""Uniqueness per tenant, which Firestore has no constraint for: one key document per unique value.

The key document is written in the transaction of the entity, so two entities can never hold the same value: the second
creation of the key document fails, and with it the whole transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from google.cloud import firestore

from common.context import PLATFORM_TENANT
from common.documents import stored_name
from common.entity import Entity, Unique
from common.identifiers import digest
from common.model import Model
from common.transaction import Write

COLLECTION = "system/uniqueness/keys"

EntityModel = TypeVar("EntityModel", bound=Model)


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One unique value held by one document.

    Attributes:
        path: Path of the key document.
        owner: Path of the document that holds the value.
        tenant_id: Whose it is.
        rule: The rule.
    """

    path: str
    owner: str
    tenant_id: str
    rule: Unique

    def written(self, client: firestore.Client, *, taken_over: bool) -> Write:
        """Return the write that takes the value; ``taken_over`` where its holder frees it in the same transaction."""
        reference = client.document(self.path)
        fields = {"owner": self.owner, "tenant_id": self.tenant_id, "rule": self.rule.name}
        if taken_over:
            return lambda batch: batch.set(reference, fields)
        return lambda batch: batch.create(reference, fields)

    def deleted(self, client: firestore.Client) -> Write:
        """Return the write that frees the value."""
        reference = client.document(self.path)
        return lambda batch: batch.delete(reference)


def is_directory(entity: Entity[EntityModel]) -> bool:
    """Whether the entity lists the tenants themselves: its key is the tenant id."""
    return entity.key == "tenant_id"


def keys_of(entity: Entity[EntityModel], tenant_id: str, owner: str, fields: Mapping[str, Any]) -> dict[str, Key]:
    """Return the keys that a document holds, by path.

    Args:
        entity: The entity.
        tenant_id: Whose document it is; a directory of tenants is unique across all of them.
        owner: Path of the document.
        fields: The encoded document.
    """
    rules = {rule: [stored_name(entity.model, name) for name in rule.fields] for rule in entity.unique}
    return keys_by_rules(
        entity.name, rules, PLATFORM_TENANT if is_directory(entity) else tenant_id, tenant_id, owner, fields
    )


def keys_by_rules(
    entity: str,
    rules: Mapping[Unique, Sequence[str]],
    scope: str,
    tenant_id: str,
    owner: str,
    fields: Mapping[str, Any],
) -> dict[str, Key]:
    """Return the keys that a document holds, by path; for mechanisms that know no models.

    Args:
        entity: Name of the entity.
        rules: Stored names of the fields of each rule.
        scope: Within what the values are unique.
        tenant_id: Whose document it is.
        owner: Path of the document.
        fields: The encoded document.
    """
    keys = {}
    for rule, names in rules.items():
        values = [fields.get(name) for name in names]
        if any(value is None for value in values):
            continue
        text = json.dumps(values, sort_keys=True, default=str)
        path = f"{COLLECTION}/{digest(scope, entity, rule.name, text)}"
        keys[path] = Key(path=path, owner=owner, tenant_id=tenant_id, rule=rule)
    return keys
