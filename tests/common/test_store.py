"""The repository on the Firestore emulator: round trips, tenancy, updates that spare unknown fields, uniqueness."""

from __future__ import annotations

import dataclasses
import functools
import threading
import uuid
from datetime import UTC, date, datetime

import pytest

from common.answers import Record
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import PLATFORM_TENANT, Context, Deadline
from common.entity import Entity
from common.errors import Conflict, NotFound, PreconditionFailed, Unavailable
from common.store import Repository, Work, in_chunks, transact, write_record
from common.tombstones import tombstone_path
from tests.common.faults import faulty
from tests.common.things import HOUSE, PERSON, THING, Colour, House, Part, Person, Thing, context_of, thing

UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def context(clients: Clients) -> Context:
    return context_of(clients, f"t{uuid.uuid4().hex[:12]}")


def stored(context: Context, path: str) -> dict[str, object] | None:
    fields: dict[str, object] | None = context.clients.get(firestore_client).document(path).get().to_dict()
    return fields


def create(context: Context, value: Thing) -> Record[Thing]:
    return write_record(context, lambda work: work.create(THING, value))


def test_a_created_entity_is_read_back_with_the_version_of_its_commit(context: Context) -> None:
    value = thing(
        colour=Colour.BLUE,
        made_on=date(2026, 2, 28),
        parts=[Part(name="lid", weight=1.5)],
        labels={"a.b": "dotted", "ü": "umlaut"},
    )
    written = create(context, value)
    read = Repository(THING, context).get(str(value.thing_id))
    assert read == written
    assert read.etag == written.etag
    document = stored(context, f"things/{value.thing_id}")
    assert document is not None
    assert document["colour"] == "blue"
    assert document["made_on"] == "2026-02-28"
    assert document["tenant_id"] == context.tenant_id
    assert document["schema_version"] == 1
    meta = document["_meta"]
    assert isinstance(meta, dict)
    assert meta["request_id"] == context.request_id
    assert meta["correlation_id"] == context.request_id
    assert meta["actor"] == f"key:{context.principal.id}"
    assert set(meta) == {"request_id", "correlation_id", "causation_id", "actor", "function", "traceparent", "write_id"}


def test_another_tenants_document_does_not_exist(context: Context, clients: Clients) -> None:
    value = thing()
    create(context, value)
    other = context_of(clients, "intruder")
    document_id = str(value.thing_id)
    with pytest.raises(NotFound, match=document_id) as refusal:
        Repository(THING, other).get(document_id)
    assert refusal.value.code == "thing_not_found"
    assert Repository(THING, other).get_many([document_id]) == {}
    assert Repository(THING, other).select([("name", "==", value.name)]) == []
    assert Repository(THING, other).count() == 0
    assert Repository(THING, other).page().items == []
    for attack in (
        lambda work: work.get_for_update(THING, document_id),
        lambda work: work.update(THING, Record(value=value, update_time=UNKNOWN), value.model_copy(update={"size": 9})),
        lambda work: work.delete(THING, Record(value=value, update_time=UNKNOWN)),
        lambda work: work.create(THING, value),
    ):
        with pytest.raises((NotFound, Conflict)):
            transact(other, attack)
    assert Repository(THING, context).get(document_id).value == value


def test_platform_work_names_a_tenant_first(clients: Clients) -> None:
    platform = context_of(clients, PLATFORM_TENANT)
    with pytest.raises(ValueError, match="names a tenant first"):
        Repository(THING, platform).find("x")
    with pytest.raises(ValueError, match="names a tenant first"):
        Repository(PERSON, platform).select()
    with pytest.raises(ValueError, match="names a tenant first"):
        transact(platform, lambda work: work.create(THING, thing()))
    tenant = platform.for_tenant("named")
    written = write_record(tenant, lambda work: work.create(THING, thing()))
    assert Repository(THING, tenant).get(str(written.value.thing_id)) == written


def test_a_directory_is_read_across_tenants_and_written_for_one(clients: Clients) -> None:
    platform = context_of(clients, PLATFORM_TENANT)
    for name in ("first", "second"):
        house = House(tenant_id=name, title=name)
        write_record(platform.for_tenant(name), functools.partial(Work.create, entity=HOUSE, value=house))
    assert {record.value.tenant_id for record in Repository(HOUSE, platform).select()} == {"first", "second"}
    first = platform.for_tenant("first")
    assert [record.value.tenant_id for record in Repository(HOUSE, first).select()] == ["first"]
    with pytest.raises(NotFound):
        Repository(HOUSE, first).get("second")
    with pytest.raises(ValueError, match="own work"):
        transact(platform, lambda work: work.create(HOUSE, House(tenant_id="third", title="third")))
    with pytest.raises(Conflict) as refusal:
        write_record(
            platform.for_tenant("third"), lambda work: work.create(HOUSE, House(tenant_id="third", title="first"))
        )
    assert refusal.value.code == "title_taken"


def test_documents_under_the_tenant_have_camel_case_names(context: Context) -> None:
    person = Person(person_id="p1", full_name="Ada", tenant_id="mine")
    write_record(context, lambda work: work.create(PERSON, person))
    document = stored(context, f"tenants/{context.tenant_id}/people/p1")
    assert document is not None
    assert document["fullName"] == "Ada"
    assert document["tenantId"] == "mine"
    assert document["tenant_id"] == context.tenant_id
    found = Repository(PERSON, context).select([("full_name", "==", "Ada")], ["full_name"])
    assert [record.value for record in found] == [person]
    with pytest.raises(Conflict):
        write_record(context, lambda work: work.create(PERSON, person.model_copy(update={"person_id": "p2"})))


def test_an_update_writes_the_changed_fields_only_and_spares_those_of_a_newer_version(context: Context) -> None:
    value = thing(main_part=Part(name="lid"), labels={"keep": "1", "drop": "2"})
    create(context, value)
    path = f"things/{value.thing_id}"
    newer = context.clients.get(firestore_client).document(path)
    newer.update({"invented_later": [1], "main_part.invented": True, "schema_version": 7})

    def change(work: Work) -> Thing:
        record = work.get(THING, str(value.thing_id))
        part = Part(name="lid", weight=2.0)
        return work.update(
            THING, record, record.value.model_copy(update={"size": 3, "main_part": part, "labels": {"keep": "1"}})
        )

    written = write_record(context, change)
    document = stored(context, path)
    assert document is not None
    assert document["invented_later"] == [1]
    assert document["main_part"] == {"name": "lid", "weight": 2.0, "invented": True}
    assert document["labels"] == {"keep": "1"}
    assert document["schema_version"] == 7
    assert Repository(THING, context).get(str(value.thing_id)) == written


def test_an_update_that_changes_nothing_writes_nothing(context: Context) -> None:
    value = thing(parts=[Part(name="a")])
    first = create(context, value)

    def same(work: Work) -> Thing:
        record = work.get(THING, str(value.thing_id))
        return work.update(THING, record, record.value.model_copy(deep=True))

    second = write_record(dataclasses.replace(context, request_id="another"), same)
    assert second.etag == first.etag
    document = stored(context, f"things/{value.thing_id}")
    assert document is not None
    assert document["_meta"] != "another"
    assert Repository(THING, context).get(str(value.thing_id)).etag == first.etag


def test_if_match_guards_an_update(context: Context) -> None:
    value = thing()
    first = create(context, value)

    def grow(work: Work) -> Thing:
        record = work.get_for_update(THING, str(value.thing_id))
        return work.update(THING, record, record.value.model_copy(update={"size": record.value.size + 1}))

    second = write_record(dataclasses.replace(context, if_match=first.etag), grow)
    assert second.etag != first.etag
    for stale in (first.etag, f"W/{second.etag}", '"0"', "nonsense"):
        with pytest.raises(PreconditionFailed) as refusal:
            write_record(dataclasses.replace(context, if_match=stale), grow)
        assert refusal.value.code == "stale_etag"
    assert write_record(dataclasses.replace(context, if_match="*"), grow).value.size == 2


def test_a_record_read_earlier_is_refused_when_it_is_stale(context: Context) -> None:
    value = thing()
    old = create(context, value)
    write_record(context, lambda work: work.update(THING, old, value.model_copy(update={"size": 1})))
    with pytest.raises(Conflict) as refusal:
        write_record(context, lambda work: work.update(THING, old, value.model_copy(update={"size": 2})))
    assert refusal.value.code == "thing_changed"
    with pytest.raises(Conflict):
        transact(context, lambda work: work.delete(THING, old))


def test_unique_values_are_taken_changed_and_freed(context: Context, clients: Clients) -> None:
    one, two = thing("one", serial="s"), thing("two", serial="s", colour="blue")
    create(context, one)
    create(context, two)
    with pytest.raises(Conflict) as refusal:
        create(context, thing("one"))
    assert refusal.value.code == "name_taken"
    with pytest.raises(Conflict) as refusal:
        create(context, thing(serial="s"))
    assert refusal.value.code == "serial_taken"
    create(context_of(clients, "elsewhere"), thing("one", serial="s"))

    def rename(work: Work, to: str) -> Thing:
        record = work.get(THING, str(one.thing_id))
        return work.update(THING, record, record.value.model_copy(update={"name": to}))

    with pytest.raises(Conflict) as refusal:
        write_record(context, lambda work: rename(work, "two"))
    assert refusal.value.code == "name_taken"
    write_record(context, lambda work: rename(work, "three"))
    create(context, thing("one"))
    transact(context, lambda work: work.delete(THING, work.get(THING, str(two.thing_id))))
    create(context, thing("two", serial="s", colour="blue"))


def test_unique_values_can_change_hands_in_one_transaction(context: Context) -> None:
    one, two = thing("one"), thing("two")
    create(context, one)
    create(context, two)

    def swap(work: Work) -> None:
        records = work.get_many(THING, [str(one.thing_id), str(two.thing_id)])
        first, second = records[str(one.thing_id)], records[str(two.thing_id)]
        work.update(THING, first, first.value.model_copy(update={"name": "two"}))
        work.update(THING, second, second.value.model_copy(update={"name": "one"}))

    transact(context, swap)
    for name in ("one", "two"):
        with pytest.raises(Conflict):
            create(context, thing(name))

    def twice(work: Work) -> None:
        work.create(THING, thing("new"))
        work.create(THING, thing("new"))

    with pytest.raises(Conflict) as refusal:
        transact(context, twice)
    assert refusal.value.code == "name_taken"


def test_an_id_is_created_once(context: Context) -> None:
    value = thing()
    create(context, value)
    with pytest.raises(Conflict) as refusal:
        create(context, value.model_copy(update={"name": "other"}))
    assert refusal.value.code == "thing_exists"


def test_a_deletion_leaves_a_tombstone_that_tells_who(context: Context) -> None:
    value = thing()
    written = create(context, value)
    later = dataclasses.replace(context, request_id="deleting", correlation_id="chain")
    transact(later, lambda work: work.delete(THING, work.get(THING, str(value.thing_id))))
    assert Repository(THING, context).find(str(value.thing_id)) is None
    path = f"things/{value.thing_id}"
    marker = stored(context, tombstone_path(path))
    assert marker is not None
    assert marker["document"] == path
    assert marker["tenant_id"] == context.tenant_id
    assert marker["deleted_version"] == written.update_time
    meta = marker["_meta"]
    assert isinstance(meta, dict)
    assert (meta["request_id"], meta["correlation_id"]) == ("deleting", "chain")


@pytest.mark.parametrize("document_id", ["", "a/b", ".", "..", "x" * 1501])
def test_ids_that_would_leave_the_collection_are_not_found(context: Context, document_id: str) -> None:
    with pytest.raises(NotFound):
        Repository(THING, context).get(document_id)


def test_a_work_that_refuses_leaves_nothing(context: Context) -> None:
    value = thing()

    def refuse(work: Work) -> None:
        work.find(THING, str(value.thing_id))
        work.create(THING, value)
        raise Conflict("no", "no")

    with pytest.raises(Conflict):
        transact(context, refuse)
    create(context, value)


def test_a_batch_of_four_hundred_documents_is_one_transaction(context: Context) -> None:
    bare: Entity[Thing] = dataclasses.replace(THING, unique=())
    things = [thing() for _ in range(400)]

    def all_of_them(work: Work) -> int:
        assert work.get_many(bare, [str(each.thing_id) for each in things]) == {}
        for each in things:
            work.create(bare, each)
        return len(things)

    assert transact(context, all_of_them) == 400
    assert Repository(THING, context).count() == 400
    assert [len(chunk) for chunk in in_chunks(things, 150)] == [150, 150, 100]
    with pytest.raises(ValueError, match="limit"):
        transact(context, lambda work: [work.create(THING, thing()) for _ in range(251)])


def test_a_lost_update_is_impossible(context: Context) -> None:
    """Another request commits between the read and the commit: the work is run again on what it wrote."""
    value = thing()
    create(context, value)
    runs: list[int] = []

    def grow(work: Work) -> Thing:
        record = work.get(THING, str(value.thing_id))
        runs.append(record.value.size)
        return work.update(THING, record, record.value.model_copy(update={"size": record.value.size + 1}))

    others = [threading.Thread(target=write_record, args=(context, grow)) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert Repository(THING, context).get(str(value.thing_id)).value.size == 2
    assert {0, 1} <= set(runs)


def test_of_many_that_want_one_unique_value_at_once_one_gets_it(context: Context) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(6)

    def one() -> None:
        start.wait()
        try:
            create(context, thing("wanted"))
            outcomes.append("created")
        except Conflict as conflict:
            outcomes.append(conflict.code)

    threads = [threading.Thread(target=one) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(outcomes) == ["created"] + ["name_taken"] * 5
    assert Repository(THING, context).count([("name", "==", "wanted")]) == 1


def test_firestore_being_away_is_said_within_the_deadline(clients: Clients, context: Context) -> None:
    away, transport = faulty(clients)
    transport.unreachable = True
    short = dataclasses.replace(context, clients=away, deadline=Deadline.after(0.5))
    for call in (lambda: Repository(THING, short).find("x"), lambda: Repository(THING, short).page()):
        with pytest.raises(Unavailable) as failure:
            call()
        assert failure.value.dependency == "firestore"
    with pytest.raises(Unavailable):
        write_record(short, lambda work: work.create(THING, thing()))
