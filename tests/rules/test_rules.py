"""What people with an ID token may do in Firestore directly, entity by entity, on the real engine of rules."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.entity import Entity
from common.errors import ConfigurationError
from common.model import Model
from common.technical import COLLECTIONS, TechnicalCollection
from tests.rules.conftest import Database
from triggers.entities import declared_entities
from triggers.rules import READERS, render

ALLOWED, DENIED = 200, 403
ENTITIES = [entity for entity in declared_entities() if entity.collection != "tenants"]
WRITABLE = [entity for entity in ENTITIES if entity.writable is not None]
ROLES = ("admin", "manager", "user", "viewer")

every_entity = pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
every_writable = pytest.mark.parametrize("entity", WRITABLE, ids=lambda entity: entity.name)
every_technical = pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda collection: collection.path)


def stored(database: Database, entity: Entity[Any], tenant: str = "acme") -> str:
    """Store a document as a function does, and return its path."""
    name = uuid.uuid4().hex
    place = entity.collection if entity.location == "shared" else f"tenants/{tenant}/{entity.collection}"
    path = f"{place}/{name}"
    fields = {
        entity.key: name,
        "tenant_id": tenant,
        "title": "A title",
        "schema_version": 1,
        "_meta": {"request_id": "r-1"},
    }
    assert database.server.create(path, fields) == ALLOWED
    return path


@every_entity
def test_people_read_documents_of_their_tenant(database: Database, entity: Entity[Any]) -> None:
    path = stored(database, entity)
    for role in ROLES:
        person = database.person("acme", role)
        readers = READERS[entity.domain] if entity.readers is None else entity.readers
        expected = ALLOWED if role in readers and not entity.secret else DENIED
        assert person.read(path) == expected
        assert person.query(entity.collection, "acme") == expected


@every_entity
def test_nobody_reads_documents_of_another_tenant(database: Database, entity: Entity[Any]) -> None:
    path = stored(database, entity)
    for stranger in (
        database.nobody,
        database.person("globex", "admin"),
        database.person(None, "admin"),
        database.person("acme", None),
        database.person("acme", "owner"),
    ):
        assert stranger.read(path) == DENIED
        assert stranger.query(entity.collection, "acme") == DENIED


@every_entity
def test_a_list_without_the_tenant_is_refused(database: Database, entity: Entity[Any]) -> None:
    """Rules are no filters: a list that could hold a stranger's document is refused as a whole."""
    stored(database, entity)
    assert database.person("acme", "admin").list(entity.collection) == DENIED


@every_entity
def test_a_suspended_tenant_reads_nothing(database: Database, entity: Entity[Any]) -> None:
    path = stored(database, entity, "gone")
    assert database.person("gone", "admin").read(path) == DENIED


@every_entity
def test_people_create_and_delete_nothing(database: Database, entity: Entity[Any]) -> None:
    """Functions write key documents and tombstones in the same transaction; a client cannot."""
    admin = database.person("acme", "admin")
    path = stored(database, entity)
    fresh = f"{path.rpartition('/')[0]}/{uuid.uuid4().hex}"
    assert admin.create(fresh, {"tenant_id": "acme", entity.key: "x", "title": "Mine"}) == DENIED
    assert admin.delete(path) == DENIED


@every_entity
def test_nobody_changes_what_the_server_keeps(database: Database, entity: Entity[Any]) -> None:
    path = stored(database, entity)
    admin = database.person("acme", "admin")
    kept = ["tenant_id", entity.key, "schema_version", "_meta", "created_at", "status", "invented"]
    kept += [field for rule in entity.unique for field in rule.fields]
    for field in kept:
        assert admin.update(path, {field: "other"}) == DENIED, field
        assert admin.update(path, {field: "other"}, touch=True) == DENIED, field


@every_writable
def test_people_change_what_is_theirs(database: Database, entity: Entity[Any]) -> None:
    path = stored(database, entity)
    for role in ("admin", "manager", "user"):
        assert database.person("acme", role).update(path, {"title": f"By {role}"}, touch=True) == ALLOWED
    assert database.person("acme", "viewer").update(path, {"title": "By a viewer"}, touch=True) == DENIED
    assert database.person("globex", "admin").update(path, {"title": "By a stranger"}, touch=True) == DENIED
    assert database.nobody.update(path, {"title": "By nobody"}, touch=True) == DENIED
    assert (
        database.person("gone", "admin").update(stored(database, entity, "gone"), {"title": "x"}, touch=True) == DENIED
    )


@every_writable
def test_a_change_says_when_it_was_made(database: Database, entity: Entity[Any]) -> None:
    path = stored(database, entity)
    assert database.person("acme").update(path, {"title": "Without a time"}) == DENIED


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"title": "t"}, ALLOWED),
        ({"title": ""}, DENIED),
        ({"title": "t" * 300}, ALLOWED),
        ({"title": "t" * 301}, DENIED),
        ({"title": None}, DENIED),
        ({"title": 1}, DENIED),
        ({"meta_description": None}, ALLOWED),
        ({"meta_description": "m" * 1001}, DENIED),
        ({"word_count": 0}, ALLOWED),
        ({"word_count": -1}, DENIED),
        ({"word_count": "many"}, DENIED),
        ({"title": "t", "status": "published"}, DENIED),
    ],
)
def test_what_is_written_has_the_models_bounds(database: Database, fields: dict[str, Any], answer: int) -> None:
    [entity] = [entity for entity in WRITABLE if entity.name == "content_piece"]
    assert database.person("acme").update(stored(database, entity), fields, touch=True) == answer


def test_people_read_their_own_tenant_only(database: Database) -> None:
    assert database.person("acme", "admin").read("tenants/acme") == ALLOWED
    assert database.person("acme", "user").read("tenants/acme") == DENIED
    assert database.person("globex", "admin").read("tenants/acme") == DENIED
    assert database.person("acme", "admin").update("tenants/acme", {"status": "active"}) == DENIED
    assert database.person("gone", "admin").update("tenants/gone", {"status": "active"}) == DENIED


@every_technical
def test_technical_documents_are_the_servers(database: Database, collection: TechnicalCollection) -> None:
    path = f"{collection.path}/{uuid.uuid4().hex}"
    assert database.server.create(path, {"tenant_id": "acme"}) == ALLOWED
    for person in (database.nobody, database.person("acme", "admin")):
        assert person.read(path) == DENIED
        assert person.update(path, {"tenant_id": "acme"}) == DENIED
        assert person.create(f"{collection.path}/{uuid.uuid4().hex}", {"tenant_id": "acme"}) == DENIED
        assert person.delete(path) == DENIED


def test_what_nobody_declared_is_closed(database: Database) -> None:
    assert database.server.create("inventions/one", {"tenant_id": "acme"}) == ALLOWED
    assert database.person("acme", "admin").read("inventions/one") == DENIED
    assert database.server.create("tenants/acme/inventions/one", {"tenant_id": "acme"}) == ALLOWED
    assert database.person("acme", "admin").read("tenants/acme/inventions/one") == DENIED


class _Key(Model):
    content_id: str


class _Unbounded(Model):
    title: str


class _Unknown(Model):
    colour: str


@pytest.mark.parametrize(
    ("writable", "words"),
    [
        (_Key, "the server keeps this field"),
        (_Unbounded, "has a greatest length"),
        (_Unknown, "the model has no such field"),
    ],
)
def test_rules_that_could_not_hold_are_refused(writable: type[Model], words: str) -> None:
    [entity] = [entity for entity in WRITABLE if entity.name == "content_piece"]
    with pytest.raises(ConfigurationError, match=words):
        render([dataclasses.replace(entity, writable=writable)])


def test_an_entity_with_secrets_is_not_read_directly() -> None:
    """Rules cannot hide single fields."""
    [entity] = [entity for entity in WRITABLE if entity.name == "content_piece"]
    assert "allow read: if false;" in render([dataclasses.replace(entity, secret=("performance_score",))])


def test_the_persons_document_counts_and_not_the_token(database: Database) -> None:
    """Whoever was demoted, deactivated, removed or signed out is so at once, although the token lives for an hour."""
    path = "tenants/acme"
    now = datetime.now(UTC)
    earlier, later = now - timedelta(minutes=5), now + timedelta(minutes=5)
    states: list[tuple[dict[str, Any], int]] = [
        ({}, ALLOWED),
        ({"role": "user"}, DENIED),
        ({"role": "owner"}, DENIED),
        ({"status": "deactivated"}, DENIED),
        ({"tenant_id": "globex"}, DENIED),
        ({"sessions_valid_after": None}, ALLOWED),
        ({"sessions_valid_after": earlier}, ALLOWED),
        ({"sessions_valid_after": later}, DENIED),
    ]
    person = database.somebody("person-states", "acme", "admin")
    assert person.read(path) == DENIED, "nobody stored the person"
    for fields, answer in states:
        database.store("person-states", **{"tenant": "acme", "role": "admin", **fields})
        assert person.read(path) == answer, fields
    second = int(now.timestamp())
    database.store("person-states", "acme", "admin", sessions_valid_after=now)
    assert database.somebody("person-states", "acme", "admin", auth_time=second).read(path) == DENIED
    assert database.somebody("person-states", "acme", "admin", auth_time=second + 1).read(path) == ALLOWED
