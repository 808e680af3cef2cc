"""The chain of a trail: sealed in order, found broken by any single tampering, whole after every redaction."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import objects, technical
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.context import PLATFORM_TENANT, Context, Deadline
from common.platform.audit import entries, redaction, seal, verification
from common.platform.audit.chain import BEGINNING, Block, Sealed, digest_of, in_order, sealed
from common.platform.audit.entities import AUDIT_ENTRIES
from common.platform.audit.models import AuditEntry
from common.platform.audit.people import digests_for
from common.platform.audit.record import entry_of
from common.platform.audit.verification_models import Verification
from common.platform.privacy.person import Person
from common.registry import entities
from common.security.entities import SECURITY_EVENTS
from common.store import Repository
from tests.common.platform.audit.made import WRITTEN, bare, entry, envelope
from tests.common.things import context_of

ENTRIES = 5


@pytest.fixture(scope="module", autouse=True)
def _bucket(clients: Clients) -> None:
    clients.get(storage_client).create_bucket(clients.settings.audit_bucket)


@pytest.fixture
def context(clients: Clients) -> Context:
    own = context_of(clients, f"t{uuid.uuid4().hex[:10]}", function="test")
    return dataclasses.replace(own, deadline=Deadline.after(300))


def made(context: Context, number: int = ENTRIES, start: int = 0) -> list[AuditEntry]:
    """Append entries, the newest first: they are sealed in the order of their time all the same."""
    found = [bare(each, context.tenant_id) for each in range(start, start + number)]
    for each in reversed(found):
        assert entries.append(context, each)
    return found


def edit(context: Context, path: str, **fields: Any) -> None:
    context.clients.get(firestore_client).document(path).update(fields)


def stored(context: Context, path: str) -> dict[str, Any]:
    found = technical.read(context, path)
    assert found is not None, path
    return found[0]


def entry_path(entry_id: object) -> str:
    return f"audit_entries/{entry_id}"


def kinds(result: Verification) -> set[str]:
    return {finding.kind for finding in result.findings}


def test_entries_are_sealed_once_in_the_order_of_their_time_and_verified(context: Context) -> None:
    first = made(context)
    assert seal.seal(context).entries == ENTRIES
    assert seal.seal(context).blocks == 0, "a second run has nothing to do"
    block = Block.read(stored(context, seal.block_path(context.tenant_id, 1)))
    assert block is not None
    assert [each.entry_id for each in block.entries] == [str(each.entry_id) for each in first]
    assert (block.previous, block.is_whole) == (BEGINNING, True)
    made(context, 2, start=100)
    late = made(context, 1, start=50)
    seal.seal(context)
    second = Block.read(stored(context, seal.block_path(context.tenant_id, 2)))
    assert second is not None
    assert second.previous == block.head
    assert second.entries[0].entry_id == str(late[0].entry_id), "what is late stands in the next block, by its time"
    copy = objects.read(context, context.clients.settings.audit_bucket, seal.copy_path(2))
    assert copy == second.content()
    result = verification.verify(context)
    assert (result.status, result.entries, result.blocks, result.unsealed) == ("intact", ENTRIES + 3, 2, 0)
    assert result.head == second.head
    assert verification.last_result(context) == result
    assert entries.append(context, first[0]) is False, "an event that comes again changes nothing"
    assert verification.verify(context).status == "intact"


def test_two_seals_at_once_seal_everything_once(context: Context) -> None:
    made(context)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: seal.seal(context), range(2)))
    assert sum(each.entries for each in results) == ENTRIES
    assert verification.verify(context).status == "intact"


def test_only_tenants_with_something_to_seal_are_due(context: Context, clients: Clients) -> None:
    made(context, 2)
    other = dataclasses.replace(context, tenant_id=f"{context.tenant_id}x")
    made(other, 1)
    own = dataclasses.replace(context, tenant_id=PLATFORM_TENANT)
    made(own, 1)
    found = list(seal.due(own))
    assert {context.tenant_id, other.tenant_id, PLATFORM_TENANT} <= set(found)
    assert len(found) == len(set(found))
    seal.seal(context)
    seal.seal(own)
    left = set(seal.due(own))
    assert other.tenant_id in left
    assert not {context.tenant_id, PLATFORM_TENANT} & left
    assert verification.verify(own).status == "intact", "the platform has a chain of its own"


def test_a_seal_that_died_before_the_copy_is_made_up_for(context: Context) -> None:
    made(context)
    seal.seal(context)
    path = f"{context.tenant_id}/{seal.copy_path(1)}"
    context.clients.get(storage_client).bucket(context.clients.settings.audit_bucket).blob(path).delete()
    edit(context, seal.block_path(context.tenant_id, 1), copied=False)
    seal.seal(context)
    assert verification.verify(context).status == "intact"


Tamper = Callable[[Context, list[AuditEntry]], str | None]
"""Changes something and returns the id of the entry that has to be named, or None."""


def change_a_value(context: Context, found: list[AuditEntry]) -> str:
    victim = found[2]
    edit(context, entry_path(victim.entry_id), changes=victim.changes.replace('"value":2', '"value":9'))
    return str(victim.entry_id)


def change_who(context: Context, found: list[AuditEntry]) -> str:
    edit(context, entry_path(found[1].entry_id), actor_id="somebody-else")
    return str(found[1].entry_id)


def change_when(context: Context, found: list[AuditEntry]) -> str:
    edit(context, entry_path(found[1].entry_id), at=WRITTEN)
    return str(found[1].entry_id)


def hide_from_searches(context: Context, found: list[AuditEntry]) -> str:
    edit(context, entry_path(found[0].entry_id), fields=[])
    return str(found[0].entry_id)


def pretend_an_erasure(context: Context, found: list[AuditEntry]) -> str:
    salted = {"actor_id": {"commitment": found[3].committed["actor_id"].commitment, "salt": None}}
    edit(context, entry_path(found[3].entry_id), actor_id="erased-0", committed=salted, redacted_at=datetime.now(UTC))
    return str(found[3].entry_id)


def remove(context: Context, found: list[AuditEntry]) -> str:
    context.clients.get(firestore_client).document(entry_path(found[4].entry_id)).delete()
    return str(found[4].entry_id)


def remove_from_the_block_too(context: Context, found: list[AuditEntry]) -> str:
    """Somebody who knows the chain rewrites block and head so that they agree with what is left."""
    gone = remove(context, found)
    path = seal.block_path(context.tenant_id, 1)
    block = Block.read(stored(context, path))
    assert block is not None
    left = [each for each in block.entries if each.entry_id != gone]
    forged = Block.of(context.tenant_id, 1, block.previous, block.sealed_at, left)
    edit(context, path, **forged.fields())
    edit(context, seal.chain_path_of(context.tenant_id), head=forged.head)
    return gone


def insert(context: Context, found: list[AuditEntry]) -> str:
    old = found[0].model_copy(update={"entry_id": uuid.uuid4()})
    fields = {**old.model_dump(mode="python"), "entry_id": str(old.entry_id), "tenant_id": context.tenant_id}
    context.clients.get(firestore_client).document(entry_path(old.entry_id)).set(fields)
    return str(old.entry_id)


def reorder(context: Context, found: list[AuditEntry]) -> None:
    del found
    path = seal.block_path(context.tenant_id, 1)
    edit(context, path, entries=list(reversed(stored(context, path)["entries"])))


def rewrite_everything(context: Context, found: list[AuditEntry]) -> str:
    """Change an entry and make all of Firestore agree with it."""
    victim = change_a_value(context, found)
    path = seal.block_path(context.tenant_id, 1)
    block = Block.read(stored(context, path))
    assert block is not None
    changed = Repository(AUDIT_ENTRIES, context).get(victim).value
    places = [sealed(changed) if each.entry_id == victim else each for each in block.entries]
    forged = Block.of(context.tenant_id, 1, block.previous, block.sealed_at, places)
    edit(context, path, **forged.fields())
    edit(context, seal.chain_path_of(context.tenant_id), head=forged.head)
    return victim


def cut_the_tail(context: Context, found: list[AuditEntry]) -> str:
    client = context.clients.get(firestore_client)
    client.document(seal.block_path(context.tenant_id, 1)).delete()
    edit(context, seal.chain_path_of(context.tenant_id), number=0, head=BEGINNING, entries=0)
    for each in found:
        client.document(entry_path(each.entry_id)).delete()
    return str(found[0].entry_id)


def forget_the_chain(context: Context, found: list[AuditEntry]) -> None:
    del found
    context.clients.get(firestore_client).document(seal.chain_path_of(context.tenant_id)).delete()


def change_the_head(context: Context, found: list[AuditEntry]) -> None:
    del found
    edit(context, seal.chain_path_of(context.tenant_id), head="f" * 64)


def remove_the_copy(context: Context, found: list[AuditEntry]) -> None:
    del found
    path = f"{context.tenant_id}/{seal.copy_path(1)}"
    context.clients.get(storage_client).bucket(context.clients.settings.audit_bucket).blob(path).delete()


TAMPERING: dict[str, tuple[Tamper, str]] = {
    "a value": (change_a_value, "entry_changed"),
    "who": (change_who, "value_changed"),
    "when": (change_when, "entry_changed"),
    "hidden": (hide_from_searches, "entry_changed"),
    "false erasure": (pretend_an_erasure, "value_missing"),
    "removed": (remove, "entry_removed"),
    "removed from block and head": (remove_from_the_block_too, "entry_removed"),
    "inserted": (insert, "entry_inserted"),
    "reordered": (reorder, "block_changed"),
    "everything rewritten": (rewrite_everything, "entry_changed"),
    "tail cut": (cut_the_tail, "tail_cut"),
    "chain forgotten": (forget_the_chain, "tail_cut"),
    "head": (change_the_head, "head_changed"),
    "copy": (remove_the_copy, "copy_missing"),
}


@pytest.fixture(scope="module", name="old")
def _old() -> Iterator[None]:
    """Let entries and blocks count as old at once, as they are at night."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verification, "UNDER_WAY", timedelta(days=-1))
        yield


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize("name", TAMPERING)
def test_any_single_tampering_is_found_and_named(
    context: Context, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tamper, kind = TAMPERING[name]
    found = made(context)
    seal.seal(context)
    assert verification.verify(context).status == "intact"
    victim = tamper(context, found)
    result = verification.verify(context)
    assert result.status == "broken"
    assert kind in kinds(result), result.findings
    if victim is not None:
        assert victim in {finding.entry_id for finding in result.findings}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "audit_chain_broken" in line]
    assert {(line["severity"], line["audit"], line["tenant_id"]) for line in lines} == {
        ("ERROR", True, context.tenant_id)
    }
    events = Repository(SECURITY_EVENTS, context).select([("code", "==", "audit_chain_broken")])
    assert [event.value.outcome for event in events] == ["found"]


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize(("tamper", "seen"), [(None, False), (change_a_value, False), (remove, True), (insert, True)])
def test_a_large_trail_is_looked_at_in_turns_unless_its_number_is_wrong(
    context: Context, monkeypatch: pytest.MonkeyPatch, tamper: Tamper | None, seen: bool
) -> None:
    """Whose turn it is does not matter for what is missing or too much; what was changed is found within the turns."""
    found = made(context)
    seal.seal(context)
    monkeypatch.setattr(verification, "WHOLE", 0)
    monkeypatch.setattr(verification, "NEWEST", 0)
    today = datetime.now(UTC).toordinal()
    monkeypatch.setattr(verification, "TURNS", next(turns for turns in (2, 3, 5, 7, 9) if today % turns != 1))
    if tamper is not None:
        tamper(context, found)
    result = verification.verify(context)
    assert (result.status == "broken") == seen, result
    assert (result.sealed, result.whole) == (ENTRIES, tamper is remove)
    monkeypatch.setattr(verification, "TURNS", 1)
    in_turn = verification.verify(context)
    assert in_turn.whole
    assert (in_turn.status == "broken") == (tamper is not None)


@pytest.mark.usefixtures("old")
def test_an_entry_that_vanished_before_its_seal_is_missed(context: Context) -> None:
    found = made(context)
    remove(context, found)
    seal.seal(context)
    assert kinds(verification.verify(context)) == {"entry_removed"}


@pytest.mark.usefixtures("old")
def test_what_is_over_may_go(context: Context) -> None:
    old = bare(0, context.tenant_id).model_copy(update={"at": datetime.now(UTC) - timedelta(days=731)})
    entries.append(context, old)
    made(context, 1, start=1)
    seal.seal(context)
    context.clients.get(firestore_client).document(entry_path(old.entry_id)).delete()
    result = verification.verify(context)
    assert (result.status, result.expired) == ("intact", 1)


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize("when", ["sealed", "unsealed"])
def test_redaction_is_no_tampering_and_leaves_nothing_of_the_person(context: Context, when: str) -> None:
    user = entities()["user"]
    told = envelope(
        "updated",
        {"user_id": "u1", "email": "ann@example.com", "name": "Ann B", "role": "admin"},
        {"user_id": "u1", "email": "ann@example.com", "name": "Ann A", "role": "user"},
        entity="user",
        document_id="u1",
        tenant_id=context.tenant_id,
    )
    about = entry_of(user, told, context.tenant_id, WRITTEN, digests_for(context))
    about = about.model_copy(update={"entry_id": uuid.uuid4()})
    by = bare(7, context.tenant_id)
    by = by.model_copy(
        update={"identified": {"@actor": about.identified["@actor"]}, "subjects": about.identified["@actor"]}
    )
    other = bare(8, context.tenant_id)
    for each in (about, by, other):
        entries.append(context, each)
    if when == "sealed":
        seal.seal(context)
    person = Person([("user_id", "u1"), ("email", "Ann@Example.com")])
    assert redaction.count(context, person) == 2
    assert redaction.redact(context, person).entries == 2
    assert redaction.redact(context, person).entries == 0
    assert redaction.count(context, person) == 0
    seal.seal(context)
    result = verification.verify(context)
    assert (result.status, result.redacted) == ("intact", 2), result.findings
    left = stored(context, entry_path(about.entry_id))
    text = json.dumps(left, default=str)
    assert not [each for each in ("ann@example.com", "Ann A", "Ann B", '"u1"') if each in text]
    seen = Repository(AUDIT_ENTRIES, context).get(str(about.entry_id)).value
    assert seen.fields == ["name", "role"], "what happened stays"
    role = next(each for each in seen.field_changes() if each.field == "role")
    assert (role.old and role.old.value, role.new and role.new.value) == ("user", "admin")
    assert seen.document_id == seen.actor_id == person.pseudonym(context, "user_id", "u1")
    assert seen.redacted_at is not None
    untouched = Repository(AUDIT_ENTRIES, context).get(str(other.entry_id)).value
    assert untouched.redacted_at is None


HASHES = st.lists(st.tuples(st.uuids(), st.binary(min_size=32, max_size=32), st.integers(0, 2**52)), max_size=8)


def block_of(places: list[tuple[uuid.UUID, bytes, int]]) -> Block:
    entries_ = in_order([Sealed(entry_id=str(one), digest=two.hex(), at=at) for one, two, at in places])
    return Block.of("demo", 1, BEGINNING, WRITTEN, entries_)


@given(places=HASHES, data=st.data())
def test_any_change_of_a_block_changes_its_head(places: list[tuple[uuid.UUID, bytes, int]], data: Any) -> None:
    block = block_of(places)
    assert block.is_whole
    assert block_of(list(reversed(places))).head == block.head, "the order in which entries come does not matter"
    assert Block.parse(block.content()) == block
    changes = [dataclasses.replace(block, number=2), dataclasses.replace(block, previous="1" * 64)]
    if places:
        place = data.draw(st.integers(0, len(places) - 1))
        changed = dataclasses.replace(block.entries[place], digest="g" * 64)
        rest = block.entries[:place], block.entries[place + 1 :]
        changes += [
            dataclasses.replace(block, entries=(*rest[0], *rest[1])),
            dataclasses.replace(block, entries=(*rest[0], changed, *rest[1])),
            dataclasses.replace(block, entries=(*block.entries, changed)),
        ]
        other = dataclasses.replace(block, entries=tuple(reversed(block.entries)))
        changes += [other] if other.entries != block.entries else []
    assert [each for each in changes if each.is_whole] == []


SAID_ELSEWHERE = {"identified", "subjects", "redacted_at", "committed", "changes", "actor_id", "document_id"}


@given(name=st.sampled_from(sorted(AuditEntry.model_fields.keys() - SAID_ELSEWHERE)), text=st.text(min_size=1))
def test_every_field_of_an_entry_is_hashed(name: str, text: str) -> None:
    whole = entry(envelope("updated", {"a": 1}, {"a": 2}, actor="key:k"))
    value: Any = getattr(whole, name)
    match value:
        case bool():
            other: Any = not value
        case int():
            other = value + 1
        case datetime():
            other = value + timedelta(microseconds=1)
        case uuid.UUID():
            other = uuid.uuid4()
        case list():
            other = [*value, text]
        case _:
            other = f"{value}{text}"
    changed = whole.model_copy(update={name: uuid.uuid4() if name == "reverts" else other})
    assert digest_of(changed) != digest_of(whole)


def test_commitments_hold_the_place_of_people_in_the_hash() -> None:
    whole = entry(envelope("updated", {"email": "b@example.com"}, {"email": "a@example.com"}))
    without = whole.model_copy(
        update={
            "actor_id": "erased-1",
            "committed": {name: each.model_copy(update={"salt": None}) for name, each in whole.committed.items()},
        }
    )
    assert digest_of(without) == digest_of(whole)
    key = entry(envelope("updated", {"a": 1}, {"a": 2}, actor="key:k1"))
    assert digest_of(key.model_copy(update={"actor_id": "k2"})) != digest_of(key)
