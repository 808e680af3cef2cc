"""Taking events into the trail: for tenants and for the platform, once, and without people who were erased before."""

from __future__ import annotations

import dataclasses
import json
import uuid

import pytest

from common import erasures
from common.clients.registry import Clients
from common.context import PLATFORM_TENANT, Context
from common.errors import PoisonEvent
from common.platform.audit import record
from common.platform.audit.entities import AUDIT_ENTRIES
from common.platform.audit.models import AuditEntry
from common.platform.privacy.person import Person
from common.store import Repository
from tests.common.platform.audit.made import envelope
from tests.common.things import context_of


@pytest.fixture
def context(clients: Clients) -> Context:
    return context_of(clients, f"t{uuid.uuid4().hex[:10]}", function="platform-audit-tenants")


def taken(context: Context) -> list[AuditEntry]:
    return [found.value for found in Repository(AUDIT_ENTRIES, context).select()]


def test_what_operators_do_without_a_tenant_is_taken_into_the_platforms_trail(context: Context) -> None:
    own = dataclasses.replace(context, tenant_id=PLATFORM_TENANT)
    code = f"c{uuid.uuid4().hex[:8]}"
    data = {"code": code, "outcome": "done", "actor_kind": "operator", "actor_id": "operator-1", "subject_ids": ["x"]}
    told = envelope(
        "created", data, entity="security_event", document_id=code, tenant_id=PLATFORM_TENANT, actor="operator:o"
    )
    record.handle(own, told)
    [entry] = [each for each in taken(own) if each.code == code]
    assert (entry.operation, entry.actor_kind, entry.actor_id) == ("done", "operator", "operator-1")


def test_an_event_is_taken_once(context: Context) -> None:
    told = envelope(
        "created", {"name": "x"}, entity="company", document_id=context.tenant_id, tenant_id=context.tenant_id
    )
    for _ in range(3):
        record.handle(context, told)
    assert len(taken(context)) == 1


def test_who_was_erased_does_not_come_back_with_an_event_that_is_late(context: Context) -> None:
    user_id, email = f"u{uuid.uuid4().hex}", f"{uuid.uuid4().hex}@example.com"
    person = Person([("user_id", user_id), ("email", email)])
    erasures.remember(context, person.digests(context), "case-1")
    data = {"user_id": user_id, "email": email, "name": "Ann A", "role": "user"}
    told = envelope(
        "created", data, entity="user", document_id=user_id, tenant_id=context.tenant_id, actor=f"user:{user_id}"
    )
    record.handle(context, told)
    [entry] = taken(context)
    text = json.dumps(entry.model_dump(mode="json"))
    assert not [each for each in (user_id, email, "Ann A") if each in text]
    assert entry.actor_id == entry.document_id == person.pseudonym(context, "user_id", user_id)
    assert (entry.erased_before, entry.subjects) == (True, [])
    assert "role" in entry.fields


def test_an_event_of_nothing_declared_is_poison(context: Context) -> None:
    with pytest.raises(PoisonEvent, match="no entity"):
        record.handle(context, envelope("created", {}, entity="unheard_of", tenant_id=context.tenant_id))
