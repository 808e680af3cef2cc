"""Whose value is whose: the rules of one record, without any store."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.platform.privacy.bundle import Bundle
from common.platform.privacy.needles import Needles
from common.platform.privacy.person import MASK, Person, pseudonym_of
from common.platform.privacy.rules import changes_of, exported, touch_of
from common.platform.privacy.stores.port import Exported
from common.registry import EntityRecord, PersonalRecord, entities
from tests.common.platform.privacy.records import entity, personal, table

PLAIN = table("letters", {})
LETTER = entity(
    "letter",
    PLAIN,
    personal("from_email", "email", "pseudonymise"),
    personal("from_name", "name", "clear", "from_email"),
    personal("to_id", "user_id", "clear"),
    personal("to_email", "email", "clear", "to_id"),
    personal("to_name", "name", "clear", "to_id"),
    personal("seen.by", "user_id", "pseudonymise", repeated=True),
)
JANE = Person([("email", "jane@example.com"), ("user_id", "uid-jane")])
FULL: dict[str, Any] = {
    "from_email": "jane@example.com",
    "from_name": "Jane",
    "to_id": "uid-joe",
    "to_email": "joe@example.com",
    "to_name": "Joe",
    "seen": {"by": ["uid-joe", "uid-jane"], "at": 1},
    "subject": "Ask joe@example.com, or Jane@Example.com",
    "_meta": {"actor": "user:uid-joe"},
}


def replace(kind: str, value: str) -> str:
    return f"gone-{kind}-{len(value)}"


def test_only_the_persons_own_values_go() -> None:
    touch = touch_of(LETTER, FULL, JANE)
    assert touch is not None
    assert touch.own.keys() == {"from_email", "from_name", "seen.by"}
    assert changes_of(touch, FULL, JANE, replace) == {
        "from_email": "gone-email-16",
        "from_name": None,
        "seen": {"by": ["uid-joe", "gone-user_id-8"], "at": 1},
    }


def test_one_identifier_stands_for_all_of_the_same_person() -> None:
    joe = Person([("user_id", "uid-joe")])
    touch = touch_of(LETTER, FULL, joe)
    assert touch is not None
    assert {"to_id", "to_email", "to_name"} < touch.own.keys()
    assert changes_of(touch, FULL, joe, replace)["to_email"] is None
    by_email = touch_of(LETTER, {**FULL, "seen": {}}, Person([("email", "JOE@example.com")]))
    assert by_email is not None
    assert by_email.own.keys() == {"to_id", "to_email", "to_name"}


def test_an_export_masks_the_others() -> None:
    touch = touch_of(LETTER, FULL, JANE)
    assert touch is not None
    told = exported(LETTER, touch, FULL, JANE)
    assert told == {
        "from_email": "jane@example.com",
        "from_name": "Jane",
        "to_id": MASK,
        "to_email": MASK,
        "to_name": MASK,
        "seen": {"by": [MASK, "uid-jane"], "at": 1},
        "subject": f"Ask {MASK}, or Jane@Example.com",
    }


def test_a_record_without_the_person_is_not_touched() -> None:
    assert touch_of(LETTER, FULL, Person([("user_id", "uid-jan")])) is None
    assert touch_of(LETTER, {}, JANE) is None
    assert touch_of(LETTER, {**FULL, "from_email": 7, "seen": "broken"}, JANE) is None


NAMES = st.sampled_from(["uid-a", "uid-b", "uid-c", None])


@given(
    to=NAMES,
    author=st.sampled_from(["a@x.example", "A@X.example", "b@x.example", None]),
    seen=st.lists(st.sampled_from(["uid-a", "uid-b"]), max_size=4),
)
def test_erasing_twice_is_erasing_once_and_leaves_nothing(to: str | None, author: str | None, seen: list[str]) -> None:
    person = Person([("email", "a@x.example"), ("user_id", "uid-a")])
    before: dict[str, Any] = {
        "to_id": to,
        "from_email": author,
        "to_name": "N",
        "from_name": "M",
        "seen": {"by": seen},
        "x": 1,
    }
    touch = touch_of(LETTER, before, person)
    after = before if touch is None else {**before, **changes_of(touch, before, person, replace)}
    assert touch_of(LETTER, after, person) is None
    assert not Needles(person).matches(after)
    assert after["x"] == 1
    assert [each for each in after["seen"]["by"] if each == "uid-b"] == [each for each in seen if each == "uid-b"]
    assert len(after["seen"]["by"]) == len(seen)
    if to != "uid-a":
        assert (after["to_id"], after["to_name"]) == (to, "N")


@pytest.mark.parametrize("name", sorted(name for name, each in entities().items() if each.personal))
def test_every_declaration_erases_each_of_its_people(name: str) -> None:
    """With the person in any one identifying field, nothing findable is left, whoever else is in the record."""
    found: EntityRecord = entities()[name]
    finders: list[PersonalRecord] = [each for each in found.personal if each.identifies]
    for mine in finders:
        values = {each.field: "other@example.com" if each.kind == "email" else "uid-other" for each in finders}
        values[mine.field] = "jane@example.com" if mine.kind == "email" else "uid-jane"
        fields = {each.field: [values[each.field]] if each.repeated else values[each.field] for each in finders}
        touch = touch_of(found, fields, JANE)
        assert touch is not None
        if not touch.deletes:
            assert touch_of(found, {**fields, **changes_of(touch, fields, JANE, replace)}, JANE) is None


def test_pseudonyms_fit_where_they_stand() -> None:
    assert pseudonym_of("user_id", "ab" * 32) == f"erased-{'ab' * 16}"
    assert pseudonym_of("email", "ab" * 32) == f"erased-{'ab' * 16}@erased.invalid"


SPELT = ["jane@example.com", "JANE@EXAMPLE.COM", "x=jane%40example.com&y", "<jane@example.com>"]


@pytest.mark.parametrize("text", SPELT)
def test_needles_are_found_however_they_are_spelt(text: str) -> None:
    needles = Needles(JANE)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("sheet.xml", f"<c>{text}</c>")
    for value in (text, {"a": [{"b": text}]}, {text: 1}, text.encode(), f"x{text}".encode()):
        assert needles.within(value) == {("email", "value")}
        assert not needles.matches(needles.replaced(value, lambda *_: "***"))
    for name, content in (
        ("a.csv", text.encode()),
        ("a.gz", gzip.compress(text.encode())),
        ("a.xlsx", packed.getvalue()),
    ):
        cut = [content[:7], content[7:11], content[11:]] if name != "a.xlsx" else [content]
        assert needles.in_stream(cut, name=name) == {("email", "value")}


def test_digests_are_found_and_others_are_not() -> None:
    needles = Needles(JANE)
    digest = "8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d"
    assert needles.within(f"sha256:{digest.upper()}") == {("email", "digest")}
    assert needles.within(["joe@example.com", "uid-jan", 7, None, b"\xff"]) == set()
    assert Needles(Person([("user_id", "al")])).within("always") == set()
    assert Needles(Person([("user_id", "al")])).within(["al"]) == {("user_id", "value")}


def test_the_archive_holds_every_record_and_says_why_it_is_kept() -> None:
    records = [Exported(kind="user", data={"email": "jane@example.com", "number": n}) for n in range(2000)]
    sources = [("documents", lambda: iter(records)), ("files", lambda: iter([Exported(kind="file", data={"a": 1})]))]
    bundle = Bundle(sources, {"tenant_id": "demo"})
    chunks = list(bundle.chunks())
    content = b"".join(chunks)
    assert len(content) == bundle.size
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        lines = archive.read("documents.ndjson").decode().splitlines()
        assert [json.loads(line)["data"]["number"] for line in lines] == list(range(2000))
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest["records"] == 2001
    users = next(each for each in manifest["kinds"] if each["kind"] == "user")
    assert users["purpose"] == entities()["user"].purpose
    assert users["retention"]["class"] == "tenant_life"
    assert {"field": "email", "kind": "email"} in users["fields"]
