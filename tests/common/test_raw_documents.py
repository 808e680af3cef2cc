"""Documents without their models: changed with every promise of the repository."""

from __future__ import annotations

import pytest

from common import raw_documents
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.errors import Conflict
from common.registry import EntityRecord, UniqueRecord
from common.store import Repository, transact
from common.tombstones import tombstone_path
from tests.common.things import THING, Thing, context_of, thing

RECORD = EntityRecord(
    name="thing",
    domain="tests",
    collection="things",
    location="shared",
    key="thing_id",
    events={},
    table=None,
    caches={},
    wakes=(),
    personal=(),
    secret=(),
    schema_version=1,
    unique=(
        UniqueRecord(name="name", fields=("name",), code="name_taken"),
        UniqueRecord(name="serial", fields=("serial", "colour"), code="serial_taken"),
    ),
)


def made(clients: Clients, value: Thing, tenant_id: str = "raw") -> Thing:
    return transact(context_of(clients, tenant_id), lambda work: work.create(THING, value))


def test_a_deletion_frees_what_was_unique_and_leaves_a_tombstone(clients: Clients) -> None:
    context, value = context_of(clients, "raw"), made(clients, thing("first", serial="7"))
    with pytest.raises(Conflict):
        made(clients, thing("first"))

    def delete(work):  # type: ignore[no-untyped-def]
        [found] = raw_documents.read(work, RECORD, [str(value.thing_id)])
        raw_documents.delete(work, RECORD, found)

    transact(context, delete)
    assert Repository(THING, context).find(str(value.thing_id)) is None
    marker = clients.get(firestore_client).document(tombstone_path(f"things/{value.thing_id}")).get()
    assert marker.get("_meta")["actor"] == "key:key-of-raw"
    made(clients, thing("first", serial="7"))


def test_an_update_moves_unique_values_and_keeps_the_rest(clients: Clients) -> None:
    context, value = context_of(clients, "raw"), made(clients, thing("before", size=3))

    def change(work):  # type: ignore[no-untyped-def]
        [found] = raw_documents.read(work, RECORD, [str(value.thing_id)])
        raw_documents.update(work, RECORD, found, {"name": "after"})

    transact(context, change)
    stored = Repository(THING, context).get(str(value.thing_id)).value
    assert (stored.name, stored.size) == ("after", 3)
    made(clients, thing("before"))
    with pytest.raises(Conflict):
        made(clients, thing("after"))


def test_another_tenants_documents_are_not_there(clients: Clients) -> None:
    value = made(clients, thing())
    found = transact(
        context_of(clients, "thief"),
        lambda work: raw_documents.read(work, RECORD, [str(value.thing_id)]),
        answers=False,
    )
    assert found == []
