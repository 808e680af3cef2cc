"""The warehouse as the walk sees it: rows found by identifiers, changed as declared, in tables, logs and facts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import bigquery

from common.clients.bigquery import bigquery_client
from common.clients.registry import Clients
from common.context import Context
from common.platform.privacy import residue_tables
from common.platform.privacy.needles import Needles
from common.platform.privacy.stores import warehouse
from common.platform.privacy.stores.port import Walk
from common.platform.privacy.stores.warehouse import StillStreaming, Warehouse
from common.registry import FactsRecord
from common.settings import Settings
from common.warehouse import query
from common.warehouse.fact_tables import fact_relations
from common.warehouse.tables import Relation, relations
from tests.common.platform.privacy.people import Human, context_for, walk_for
from tests.common.platform.privacy.records import DATASET, entity, personal, table
from tests.warehouse_guard import guarded

CONTACTS = entity(
    "contact",
    table("contacts", {"email": "STRING NOT NULL", "name": "STRING", "owner_id": "STRING"}),
    personal("email", "email", "delete"),
    personal("name", "name", "delete", "email"),
    personal("owner_id", "user_id", "pseudonymise"),
)
NOTES = entity(
    "note",
    table("notes", {"author": "STRING", "text": "STRING NOT NULL", "readers": "ARRAY<STRING>", "made_at": "TIMESTAMP"}),
    personal("author", "user_id", "clear"),
    personal("text", "text", "clear", "author"),
    personal("readers", "user_id", "pseudonymise", repeated=True),
)
VISITS = FactsRecord(
    name="visit",
    domain="aso",
    table=table("visits", {"day": "DATE NOT NULL", "email": "STRING", "page": "STRING", "extra": "JSON"},
                immutable=True, partition="day"),
    caches=(),
    wakes=(),
    personal=(personal("email", "email", "pseudonymise"), personal("extra", "text", "clear", "email")),
    schema_version=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def clients(settings: Settings) -> Iterator[Clients]:
    made = Clients(settings)
    with guarded(made.get(bigquery_client)):
        yield made


@pytest.fixture
def context(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A tenant with the tables of this test's own entities."""
    found = context_for(clients)
    for module in (warehouse, residue_tables):
        monkeypatch.setattr(module, "entities", lambda: {each.name: each for each in (CONTACTS, NOTES)})
        monkeypatch.setattr(module, "facts", lambda: {VISITS.name: VISITS})
    client = clients.get(bigquery_client)
    client.create_dataset(DATASET.format(tenant_id=found.tenant_id))
    for relation in every(found):
        client.create_table(bigquery.Table.from_api_repr(relation.resource()))
    return found


def every(context: Context) -> list[Relation]:
    project = context.clients.settings.project
    contacts, notes = (relations(project, context.tenant_id, each) for each in (CONTACTS, NOTES))
    visits = fact_relations(project, context.tenant_id, VISITS)
    assert contacts.current is not None
    assert notes.current is not None
    return [contacts.current, contacts.log, notes.current, notes.log, visits.rows]


def insert(context: Context, relation: Relation, **values: Any) -> None:
    names = {column.name for column in relation.columns}
    technical = {
        "schema_version": 1,
        "change_sequence": 1,
        "change_operation": "updated",
        "change_event_id": "e",
        "appended_at": datetime.now(UTC).isoformat(),
        "batch_id": "b",
    }
    row = {**{name: value for name, value in technical.items() if name in names}, **values}
    refused = context.clients.get(bigquery_client).insert_rows_json(relation.id, [row])
    assert not refused


def rows(context: Context, relation: Relation) -> list[dict[str, Any]]:
    sql = f"SELECT * FROM {relation.sql} ORDER BY id"
    if relation.partition:
        sql = f"SELECT * FROM {relation.sql} WHERE {relation.partition} >= '1970-01-01' ORDER BY id"
    return [dict(row.items()) for row in context.clients.get(bigquery_client).query(sql).result()]


def fill(context: Context, human: Human, other: Human) -> None:
    contacts, contacts_log, notes, notes_log, visits = every(context)
    for relation in (contacts, contacts_log):
        insert(context, relation, id="mine", email=human.email, name="Jane", owner_id=other.user_id)
        insert(context, relation, id="owned", email="x@example.com", name="X", owner_id=human.user_id)
        insert(context, relation, id="theirs", email=other.email, name="Joe", owner_id=other.user_id)
    insert(context, contacts_log, id="long gone", email=human.email.upper())
    for relation in (notes, notes_log):
        insert(context, relation, id="1", author=human.user_id, text="my words", readers=[other.user_id])
        insert(context, relation, id="2", author=other.user_id, text="their words", readers=["a", human.user_id])
    insert(context, visits, id="1", day="2026-01-31", email=human.email, page="/", extra='{"ip": "198.51.100.7"}')
    insert(context, visits, id="2", day="2026-01-31", email=other.email, page="/", extra='{"ip": "198.51.100.8"}')


def test_rows_are_deleted_changed_and_left_as_declared(context: Context) -> None:
    human, other = Human(), Human()
    fill(context, human, other)
    walk = walk_for(context, human)
    assert {each.kind: each.count for each in Warehouse().find(walk)} == {
        "contacts": 2, "contacts_changes": 3, "notes": 2, "notes_changes": 2, "visits": 1,
    }  # fmt: skip
    exported = list(Warehouse().export(walk))
    text = json.dumps([each.data for each in exported])
    assert "my words" in text
    assert "198.51.100.7" in text
    assert other.email not in text
    assert other.user_id not in text
    assert "their words" not in text
    counts = Warehouse().erase(walk)
    assert counts == {"contacts": 2, "contacts_changes": 3, "notes": 2, "notes_changes": 2, "visits": 1}
    contacts, log, notes, _, visits = every(context)
    pseudonym = walk.pseudonym("user_id", human.user_id)
    assert [(row["id"], row["email"], row["owner_id"]) for row in rows(context, contacts)] == [
        ("owned", "x@example.com", pseudonym), ("theirs", other.email, other.user_id),
    ]  # fmt: skip
    assert [row["id"] for row in rows(context, log)] == ["owned", "theirs"]
    assert [(row["author"], row["text"], row["readers"]) for row in rows(context, notes)] == [
        (None, "", [other.user_id]), (other.user_id, "their words", ["a", pseudonym]),
    ]  # fmt: skip
    first, second = rows(context, visits)
    assert first["email"] == walk.pseudonym("email", human.email)
    assert first["extra"] is None
    assert second["email"] == other.email
    assert Warehouse().erase(walk) == {}
    assert list(Warehouse().find(walk)) == []


def test_the_search_finds_a_text_in_every_kind_of_column(context: Context) -> None:
    human, other = Human(), Human()
    _, _, notes, _, visits = every(context)
    insert(context, notes, id="1", text=f"see {human.email.upper()}!", readers=["a", f"x{human.user_id}"])
    insert(context, visits, id="1", day="2026-01-31", extra=json.dumps({"deep": [human.email]}))
    name = f"{context.clients.settings.project}.{DATASET.format(tenant_id=context.tenant_id)}.undeclared"
    schema = [bigquery.SchemaField("free", "STRING")]
    client = context.clients.get(bigquery_client)
    client.create_table(bigquery.Table(name, schema=schema))
    client.insert_rows_json(name, [{"free": human.user_id}])

    def found(walk: Walk) -> set[tuple[str, str, str]]:
        places = residue_tables.searched_tables(walk, Needles(walk.person))
        return {(place, kind, form) for place, within in places for kind, form in within}

    assert found(walk_for(context, human)) == {
        ("notes.text", "email", "value"),
        ("notes.readers", "user_id", "value"),
        ("visits.extra", "email", "value"),
        ("undeclared.free", "user_id", "value"),
    }
    assert found(walk_for(context, other)) == set()


def test_rows_that_were_streamed_lately_are_waited_for(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator knows no streaming buffer, so the refusal is BigQuery's own words."""
    human = Human()
    fill(context, human, Human())
    whole = query.run

    def refusing(asked: Context, sql: str, *arguments: Any, **named: Any) -> Any:
        if sql.startswith("DELETE") and "contacts_changes" in sql:
            message = "UPDATE or DELETE statement over table would affect rows in the streaming buffer"
            raise exceptions.BadRequest(message)
        return whole(asked, sql, *arguments, **named)

    monkeypatch.setattr(warehouse, "run", refusing)
    with pytest.raises(StillStreaming, match="contacts_changes"):
        Warehouse().erase(walk_for(context, human))
    contacts, log, *_ = every(context)
    assert [row["id"] for row in rows(context, contacts)] == ["owned", "theirs"], "all others are done"
    assert len(rows(context, log)) == 4


def test_a_tenant_without_tables_has_no_rows(clients: Clients) -> None:
    walk = walk_for(context_for(clients), Human())
    assert list(Warehouse().find(walk)) == []
    assert list(residue_tables.searched_tables(walk, Needles(walk.person))) == []
