"""Setting changes back: only what the entity declares and the trail knows, by all rules that any write obeys."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from common import quotas
from common.clients.registry import Clients
from common.context import Context
from common.documents import encode
from common.entity_classes import LOADERS
from common.errors import Conflict, Forbidden, NotFound, Refusal
from common.platform.audit import entries, reverting
from common.platform.audit.models import AuditEntry, FieldChange, Side
from common.registry import entities
from common.relay import json_value
from common.store import Repository, Work, transact
from common.tenants.people.entities import FEATURE_FLAGS
from common.tenants.people.models import FeatureFlag
from tests.common.platform.audit.made import bare
from tests.common.things import context_of


@pytest.fixture
def context(clients: Clients) -> Context:
    return context_of(clients, f"t{uuid.uuid4().hex[:10]}", function="platform-audit-revert")


def flag(context: Context, name: str = "beta", **fields: Any) -> FeatureFlag:
    now = datetime.now(UTC)
    made = FeatureFlag(
        feature_id=str(uuid.uuid4()),
        name=name,
        enabled=True,
        self_service=False,
        created_at=now,
        updated_at=now,
        **fields,
    )
    return transact(context, lambda work: work.create(FEATURE_FLAGS, made))


def told(context: Context, document: FeatureFlag, operation: str, changes: Mapping[str, tuple[Any, Any]]) -> AuditEntry:
    """Append the entry of a change of a flag; an ellipsis stands for no value."""

    def side(value: Any) -> Side | None:
        return None if value is ... else value if isinstance(value, Side) else Side(state="shown", value=value)

    made = [FieldChange(field=name, old=side(old), new=side(new)) for name, (old, new) in changes.items()]
    entry = bare(0, context.tenant_id).model_copy(
        update={
            "entry_id": uuid.uuid4(),
            "entity": "feature_flag",
            "document_id": str(document.feature_id),
            "operation": operation,
            "changes": entries.text_of(made),
        }
    )
    entries.append(context, entry)
    return entry


def values(document: FeatureFlag) -> dict[str, Any]:
    return {name: json_value(value) for name, value in encode(document).items()}


def refusal(context: Context, entry: AuditEntry) -> tuple[str, Any]:
    with pytest.raises(Refusal) as caught:
        reverting.revert(context, entry.entry_id)
    return caught.value.code, caught.value.details.get("reason")


def now(context: Context, document: FeatureFlag) -> FeatureFlag | None:
    record = Repository(FEATURE_FLAGS, context).find(str(document.feature_id))
    return None if record is None else record.value


def test_every_entity_can_be_loaded_and_declares_fields_it_has() -> None:
    assert LOADERS.keys() == entities().keys()
    for name, record in entities().items():
        entity = LOADERS[name]()
        assert entity.name == name
        known = {field.alias or own for own, field in entity.model.model_fields.items()}
        declared = {*record.revertible, *record.private, *record.unaudited, *(record.kept.keys() - {"*"})}
        assert declared <= known, name
        assert entity.key not in record.revertible
        assert not {*record.revertible} & {*record.secret, *record.private}, name


def test_an_update_is_set_back(context: Context) -> None:
    made = flag(context, description="new")
    entry = told(context, made, "updated", {"description": (..., "new"), "enabled": (False, True)})
    assert reverting.revert(context, entry.entry_id).fields == ["description", "enabled"]
    found = now(context, made)
    assert found is not None
    assert (found.description, found.enabled) == (None, False)
    assert found.updated_at > made.updated_at
    assert refusal(context, entry)[0] == "changed_since", "once"


def test_a_creation_and_a_deletion_of_what_nothing_hangs_on_are_undone(context: Context) -> None:
    made = flag(context)
    created = told(context, made, "created", {name: (..., value) for name, value in values(made).items()})
    reverting.revert(context, created.entry_id)
    assert now(context, made) is None
    assert refusal(context, created)[0] == "changed_since"
    deleted = told(context, made, "deleted", {name: (value, ...) for name, value in values(made).items()})
    reverting.revert(context, deleted.entry_id)
    found = now(context, made)
    assert found is not None
    assert found.model_copy(update={"updated_at": made.updated_at}) == made
    assert refusal(context, deleted)[0] == "changed_since"


def test_uniqueness_holds(context: Context) -> None:
    made = flag(context, name="renamed")
    entry = told(context, made, "updated", {"name": ("taken", "renamed")})
    flag(context, name="taken")
    assert refusal(context, entry)[0] == "feature_taken"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"created_at": ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")}, "declared"),
        ({"description": (Side(state="cut", value="x", size=99_999), "d")}, "cut"),
        ({"description": (Side(state="redacted"), "d")}, "redacted"),
        ({"description": (Side(state="private", size=3), "d")}, "private"),
        ({"description": (Side(state="secret"), Side(state="secret"))}, "secret"),
        ({"enabled": ("neither", True)}, "invalid"),
    ],
)
def test_what_is_not_known_or_not_allowed_is_not_set_back(
    context: Context, changes: Mapping[str, tuple[Any, Any]], reason: str
) -> None:
    made = flag(context, description="d")
    entry = told(context, made, "updated", changes)
    assert refusal(context, entry) == ("not_revertible", reason)
    assert now(context, made) == made


def test_what_was_too_much_for_an_entry_is_not_set_back(context: Context) -> None:
    made = flag(context)
    entry = told(context, made, "updated", {"enabled": (False, True)})
    entries.append(context, fuller := entry.model_copy(update={"entry_id": uuid.uuid4(), "left_out": 3}))
    assert refusal(context, fuller) == ("not_revertible", "left_out")


@pytest.mark.parametrize("operation", ["refused", "done", "found", "redacted"])
def test_only_changes_are_set_back(context: Context, operation: str) -> None:
    entry = told(context, flag(context), operation, {"enabled": (False, True)})
    assert refusal(context, entry) == ("not_revertible", "operation")


def test_quotas_hold_for_what_comes_back(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = quotas.Limit(entity="feature_flag", free=0, pro=0, enterprise=0)
    monkeypatch.setattr(quotas, "LIMITS", {"companies": limit})
    asked: list[str] = []

    def full(context: Context, resource: str, adding: int = 1) -> None:
        del context, adding
        asked.append(resource)
        raise Forbidden("quota_exceeded", "No place.")

    monkeypatch.setattr(quotas, "check", full)
    made = flag(context)
    update = told(context, made, "updated", {"enabled": (False, True)})
    reverting.revert(context, update.entry_id)
    assert asked == [], "what is there already needs no new place"
    transact(context, lambda work: _remove(work, made))
    entry = told(context, made, "deleted", {name: (value, ...) for name, value in values(made).items()})
    assert refusal(context, entry)[0] == "quota_exceeded"
    assert (asked, now(context, made)) == (["companies"], None)


def _remove(work: Work, made: FeatureFlag) -> None:
    work.delete(FEATURE_FLAGS, work.get(FEATURE_FLAGS, str(made.feature_id)))


def test_another_tenants_entry_does_not_exist(context: Context) -> None:
    entry = told(context, flag(context), "updated", {"enabled": (False, True)})
    stranger = dataclasses.replace(context, tenant_id=f"{context.tenant_id}x")
    with pytest.raises(NotFound, match="audit entry"):
        reverting.revert(stranger, entry.entry_id)


def test_nothing_else_can_be_undone_without_being_declared() -> None:
    restorable = {name for name, record in entities().items() if record.restorable}
    assert restorable == {"feature_flag"}
    with pytest.raises(Conflict):
        reverting._require_allowed(entities()["keyword"], bare(0, "demo", operation="deleted"), [])
