"""People planted everywhere: documents made from the declarations, with every personal field filled."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.cloud.firestore_v1.base_query import FieldFilter

from common import technical
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context, Deadline, Principal
from common.entity import Unique
from common.platform.privacy.person import Person
from common.platform.privacy.stores.port import Walk
from common.protection.subjects import Subject
from common.raw_documents import parent
from common.registry import EntityRecord, PersonalRecord, entities
from common.uniqueness import keys_by_rules


def covered() -> list[EntityRecord]:
    """Return every entity with personal fields that the walk covers."""
    return [each for each in entities().values() if each.personal and each.audited != "never"]


@dataclass(frozen=True, kw_only=True)
class Human:
    """Somebody with identifiers that stand nowhere else.

    Attributes:
        user_id: As Firebase makes them.
        email: In its one form.
    """

    user_id: str = field(default_factory=lambda: f"uid{uuid.uuid4().hex[:20]}")
    email: str = field(default_factory=lambda: f"jane.{uuid.uuid4().hex[:12]}@example.com")

    @property
    def subject(self) -> Subject:
        """How a request names them."""
        return Subject(user_id=self.user_id, email=self.email)

    def identifier(self, kind: str) -> str:
        """Return the identifier of a kind."""
        return self.user_id if kind == "user_id" else self.email


def context_for(clients: Clients, tenant_id: str | None = None) -> Context:
    """Return the context of a task of a tenant of its own."""
    return Context(
        function="platform-privacy-erasure-run",
        tenant_id=tenant_id or f"t{uuid.uuid4().hex[:10]}",
        principal=Principal(kind="service", id="privacy@demo.iam.gserviceaccount.com"),
        clients=clients,
        deadline=Deadline.after(300),
    )


def walk_for(context: Context, human: Human) -> Walk:
    """Return a walk for somebody."""
    return Walk(context=context, person=Person.of(human.subject), case=f"case-{uuid.uuid4().hex[:12]}")


def plant(
    context: Context,
    entity: EntityRecord,
    whose: Mapping[str, Human],
    *,
    actor: Human | None = None,
    ordinary: str = "kept",
) -> str:
    """Store a document with personal fields filled; return its path.

    Args:
        context: Whose document.
        entity: Which kind.
        whose: Identifying field to whom it names; other identifying fields stay empty.
        actor: Who wrote it last.
        ordinary: Value of a field that is not personal.
    """
    fields: dict[str, Any] = {"tenant_id": context.tenant_id, "schema_version": 1, "ordinary": ordinary}
    fields["_meta"] = {"actor": f"user:{actor.user_id}" if actor else "service:planter", "request_id": "r"}
    document_id = uuid.uuid4().hex
    for each in entity.personal:
        human = whose.get(each.field) if each.identifies else _owner(entity, each, whose)
        value = None if human is None else _value(each, human)
        if each.field == entity.key and value is not None:
            document_id = str(value)
        _put(fields, each.field, value)
    if not any(each.field == entity.key for each in entity.personal):
        fields.setdefault(entity.key, document_id)
    client = context.clients.get(firestore_client)
    path = f"{parent(entity, context.tenant_id)}/{document_id}"
    client.document(path).set(fields)
    rules = {Unique(name=each.name, fields=each.fields, code=each.code): each.fields for each in entity.unique}
    for key in keys_by_rules(entity.name, rules, context.tenant_id, context.tenant_id, path, fields).values():
        held = {"owner": path, "tenant_id": context.tenant_id, "rule": key.rule.name}
        client.document(key.path).set(held)
    return path


def secret_of(each: PersonalRecord, human: Human) -> str:
    """Return what a field that nobody is found by holds of somebody."""
    return f"{each.field} of {human.email}"


def _value(each: PersonalRecord, human: Human) -> Any:
    value = human.identifier(each.kind) if each.identifies else secret_of(each, human)
    if each.repeated:
        return ["somebody-else", value]
    return {"text": value} if each.emptied == {} else value


def _owner(entity: EntityRecord, each: PersonalRecord, whose: Mapping[str, Human]) -> Human | None:
    if each.of is not None:
        return whose.get(each.of)
    whole = [finder.field for finder in entity.personal if finder.identifies and finder.erasure == "delete"]
    names = whole or [finder.field for finder in entity.personal if finder.identifies]
    return next((whose[name] for name in names if name in whose), None)


def _put(fields: dict[str, Any], path: str, value: Any) -> None:
    *outer, name = path.split(".")
    for each in outer:
        fields = fields.setdefault(each, {})
    fields[name] = value


def everything(context: Context) -> dict[str, dict[str, Any]]:
    """Return all documents of the tenant by path, entities and technical ones."""
    client = context.clients.get(firestore_client)
    found = {}
    places = [parent(each, context.tenant_id) for each in entities().values()]
    places += [each.path for each in technical.COLLECTIONS]
    for place in places:
        for snapshot in (
            client.collection(place).where(filter=FieldFilter("tenant_id", "==", context.tenant_id)).stream()
        ):
            found[snapshot.reference.path] = snapshot.to_dict()
    return found
