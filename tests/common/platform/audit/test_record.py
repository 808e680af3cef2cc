"""What an entry keeps of a change, and what it must not keep."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.context import PLATFORM_TENANT
from common.documents import encode
from common.platform.audit import entries, record
from common.platform.audit.canonical import canonical, commitment, sha256
from common.platform.audit.models import AuditEntry, FieldChange, Side
from common.platform.audit.values import bounded, changes_of, size_of
from common.registry import entities
from tests.common.platform.audit.made import NOTE, WRITTEN, entry, envelope

DOCUMENT_LIMIT = 1_048_576


def by_field(made: AuditEntry) -> dict[str, FieldChange]:
    return {change.field: change for change in made.field_changes()}


def test_an_update_is_kept_field_by_field_with_old_and_new_value_and_who_did_it() -> None:
    made = entry(
        envelope("updated", {"a": 2, "b": [1], "c": 0}, {"a": 1, "b": None, "c": 0, "gone": "x"}, function="f")
    )
    found = by_field(made)
    assert {name: (each.old and each.old.value, each.new and each.new.value) for name, each in found.items()} == {
        "a": (1, 2),
        "b": (None, [1]),
        "gone": ("x", None),
    }
    assert (found["b"].old, found["gone"].new) != (None, None)
    assert found["gone"].new is None, "a field that is gone is told apart from one that is null"
    assert found["b"].old is not None
    assert (made.actor_kind, made.actor_id, made.function, made.request_id) == ("user", "u1", "f", "r1")
    assert (made.at, made.sequence, made.fields) == (WRITTEN, 1788249600123456, ["a", "b", "gone"])


def test_creations_and_deletions_keep_every_field_but_the_technical_ones() -> None:
    data = {"a": 1, "tenant_id": "demo", "schema_version": 1}
    created, deleted = entry(envelope("created", data)), entry(envelope("deleted", data))
    assert [(each.field, each.old, each.new and each.new.value) for each in created.field_changes()] == [("a", None, 1)]
    assert [(each.field, each.old and each.old.value, each.new) for each in deleted.field_changes()] == [("a", 1, None)]


def test_secrets_are_named_private_content_is_measured_and_neither_is_kept() -> None:
    told = envelope("updated", {"text": "hush hush"}, {"text": "psst"}, secret_changed=["token"])
    made = entry(told)
    found = by_field(made)
    assert found["token"].old is not None
    assert found["token"].old.model_dump(exclude_defaults=True) == {"state": "secret"}
    assert found["text"].old is not None
    assert found["text"].old.model_dump(exclude_defaults=True) == {
        "state": "private",
        "size": 6,
    }
    assert "hush" not in made.changes
    assert "psst" not in made.changes
    assert made.fields == ["text", "token"], "it can be found that they changed"


def test_personal_values_lie_beside_a_commitment_that_can_be_checked() -> None:
    made = entry(envelope("updated", {"email": "new@example.com"}, {"email": "old@example.com"}))
    change = by_field(made)["email"]
    for side, value in ((change.old, "old@example.com"), (change.new, "new@example.com")):
        assert side is not None
        assert side.salt is not None
        assert side.commitment == commitment(side.salt, value)
        assert side.sha256 is None, "a plain digest would let one guess the value"
    assert change.old is not None
    assert change.new is not None
    assert change.old.salt != change.new.salt
    assert made.committed["actor_id"].commitment == commitment(made.committed["actor_id"].salt or "", "u1")
    assert made.identified == {
        "email": ["email=new@example.com", "email=old@example.com"],
        "@actor": ["user_id=u1"],
    }
    assert made.subjects == ["email=new@example.com", "email=old@example.com", "user_id=u1"]


def test_keys_and_services_are_no_people() -> None:
    made = entry(envelope("updated", {"a": 1}, {"a": 2}, actor="key:k1"))
    assert (made.actor_kind, made.actor_id, made.committed, made.subjects) == ("key", "k1", {}, [])
    assert entry(envelope("updated", {"a": 1}, {"a": 2}, actor=None)).actor_kind == "unknown"


def test_an_erasure_is_told_as_one() -> None:
    made = entry(envelope("updated", {"email": None}, {}, erasure="case-1"))
    change = by_field(made)["email"]
    assert change.old is not None
    assert change.old.state == "redacted"


def test_what_set_a_change_back_names_what_it_set_back() -> None:
    reverted = "4d1f6c3a-0b7e-5a3c-9d55-0d3f1b2c4d5e"
    made = entry(envelope("updated", {"a": 1}, {"a": 2}, function=record.REVERT, causation_id=reverted))
    assert str(made.reverts) == reverted
    assert entry(envelope("updated", {"a": 1}, {"a": 2}, function="f", causation_id=reverted)).reverts is None


def recorded(told: Any, **declared: Any) -> bool:
    return record.is_recorded(dataclasses.replace(NOTE, **declared), told)


def test_what_is_recorded_is_declared() -> None:
    created, updated = envelope("created", {"a": 1}), envelope("updated", {"a": 1}, {"a": 2})
    deleted = envelope("deleted", {"a": 1})
    taken = {
        how: [recorded(told, audited=how) for told in (created, updated, deleted)]
        for how in ("all", "changes", "creations", "never")
    }
    assert taken == {
        "all": [True, True, True],
        "changes": [False, True, True],
        "creations": [True, False, False],
        "never": [False, False, False],
    }


def test_progress_alone_is_not_recorded() -> None:
    assert not recorded(envelope("updated", {"progress": 2}, {"progress": 1}))
    assert recorded(envelope("updated", {"progress": 2, "a": 1}, {"progress": 1, "a": 2}))
    assert recorded(envelope("updated", {"progress": 2}, {"progress": 1}, secret_changed=["token"]))
    assert recorded(envelope("created", {"progress": 2}))


def test_a_document_that_expired_was_deleted_by_nobody() -> None:
    past, future = (f"2026-09-0{day}T00:00:00.000000Z" for day in (1, 2))
    assert not recorded(envelope("deleted", {"expires_at": past}, actor=None), ttl="expires_at")
    assert recorded(envelope("deleted", {"expires_at": future}, actor=None), ttl="expires_at"), "before its time"
    assert recorded(envelope("deleted", {"expires_at": past}, actor="user:u1"), ttl="expires_at")


def test_the_end_of_a_tenant_belongs_to_the_platform() -> None:
    tenant = entities()["tenant"]
    told = envelope("deleted", {"tenant_id": "demo"}, entity="tenant", document_id="demo")
    assert record.trail_of(tenant, told) == PLATFORM_TENANT
    suspended = envelope("updated", {"status": "suspended"}, {"status": "active"}, entity="tenant", document_id="demo")
    assert record.trail_of(tenant, suspended) == "demo"


def test_only_the_trail_itself_is_never_recorded() -> None:
    assert [name for name, entity in entities().items() if entity.audited == "never"] == ["audit_entry"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=8,
)
SMALL = st.text(alphabet="aü\U0001f600", max_size=60) | st.integers() | st.none()
CHANGES = st.dictionaries(st.text(alphabet="abcü", min_size=1, max_size=30), st.tuples(SMALL, SMALL), max_size=12)
"""Changes that do not fit small budgets, by name."""


@given(values=CHANGES, committed=st.booleans(), budget=st.integers(0, 2500))
def test_whatever_does_not_fit_is_cut_then_counted_and_no_change_is_lost(
    values: dict[str, tuple[Any, Any]], committed: bool, budget: int
) -> None:
    extra = {"salt": "00" * 16, "commitment": "0" * 64} if committed else {}

    def side(value: Any) -> Side:
        return Side(state="shown", value=value, size=len(canonical(value)), **extra)

    changes = [FieldChange(field=name, old=side(old), new=side(new)) for name, (old, new) in sorted(values.items())]
    kept = bounded(changes, budget)
    assert sum(map(size_of, kept.changes)) <= budget
    assert sorted([each.field for each in kept.changes] + kept.left_out) == sorted(values), "named or counted"
    assert len(entries.text_of(kept.changes).encode()) <= max(budget + 1, 2)
    if sum(map(size_of, changes)) <= budget:
        assert kept.changes == changes, "what fits is not touched"
    for change in kept.changes:
        for shorter, value in zip((change.old, change.new), values[change.field], strict=True):
            assert shorter is not None
            assert shorter.size == len(canonical(value))
            if shorter.state == "cut" and committed:
                assert shorter.salt is not None
                assert shorter.commitment == commitment(shorter.salt, shorter.value)
            elif shorter.state == "cut":
                assert shorter.sha256 == sha256(canonical(value)), "a cut value is still told from others"


@pytest.mark.parametrize(
    "data",
    [
        {"one": "x" * 1_000_000},
        {"email": "ü" * 500_000, "text": "t" * 500_000},
        {f"field-{n}": "v" * 30_000 for n in range(34)},
        {f"{n}" + "n" * 1400: n for n in range(700)},
        {f"{n:06d}": None for n in range(20_000)},
        {"owner": [f"user-{n}" for n in range(50_000)]},
        {"deep": {"a": [{"b": ["\x00" * 30_000] * 5}]}},
    ],
    ids=["one", "personal", "many", "names", "fields", "crowd", "deep"],
)
def test_an_entry_fits_its_document_whatever_changed(data: dict[str, Any]) -> None:
    made = entry(envelope("created", data))
    size = len(json.dumps(encode(made), default=str, ensure_ascii=False).encode())
    assert size < DOCUMENT_LIMIT * 0.9, "with room for what Firestore counts besides"
    assert len(made.field_changes()) + made.left_out == len(data)
    assert (made.left_out_sha256 is None) == (made.left_out == 0)


@given(st.dictionaries(st.sampled_from(["a", "b", "ü", "email", "text"]), VALUES, max_size=4))
def test_values_that_are_shown_come_back_exactly(data: dict[str, Any]) -> None:
    made = entry(envelope("created", data))
    wanted = {name: value for name, value in data.items() if name not in {"tenant_id", "schema_version", "text"}}
    back = {each.field: each.new and each.new.value for each in made.field_changes() if each.field != "text"}
    assert canonical(back) == canonical(wanted)


def test_values_that_differ_have_different_canonical_forms() -> None:
    forms = [canonical(each) for each in (1, 1.0, True, "1", None, "", [], {}, {"a": 1}, [1])]
    assert len(set(forms)) == len(forms)
    assert canonical({"b": 1, "a": [{"y": 1, "x": 2}]}) == canonical({"a": [{"x": 2, "y": 1}], "b": 1})


@pytest.mark.parametrize("seconds", [0, 3600])
def test_the_same_event_gives_the_same_entry_id(seconds: float) -> None:
    told = envelope("created", {"a": 1}, seconds=seconds)
    later = record.entry_of(NOTE, told, "demo", WRITTEN + timedelta(days=1), lambda kind, value: "")
    assert entry(told).entry_id == later.entry_id == told.event_id


def test_a_change_without_fields_is_kept_as_one() -> None:
    assert changes_of(NOTE, envelope("updated", {"a": 1}, {"a": 1}).payload).changes == []
    assert recorded(envelope("updated", {"a": 1}, {"a": 1}))
