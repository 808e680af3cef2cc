"""What an erasure publishes tells nothing of what it erased, and what comes late brings nothing back."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common import erasures, technical
from common.clients.registry import Clients
from common.deliveries import DocumentDelivery, DocumentVersion
from common.events import sequence_of
from common.platform.privacy.stores.documents import Documents
from common.registry import entities
from common.relay import envelope_of, message_of, metadata_of
from common.store import transact
from common.tombstones import tombstone_path
from common.warehouse import sync
from tests.common.platform.privacy.people import Human, context_for, plant, walk_for
from tests.common.warehouse.changes import event

WRITTEN = datetime(2026, 9, 1, 8, tzinfo=UTC)


def version(fields: dict[str, Any], seconds: int = 0) -> DocumentVersion:
    moment = WRITTEN + timedelta(seconds=seconds)
    return DocumentVersion(fields={"tenant_id": "demo", **fields}, create_time=WRITTEN, update_time=moment)


def published(clients: Clients, name: str, before: dict[str, Any], after: dict[str, Any] | None) -> dict[str, Any]:
    entity = entities()[name]
    change = DocumentDelivery(
        path=f"{entity.collection}/uid-1",
        parameters={},
        before=version(before),
        after=None if after is None else version(after, 1),
        event_id="e1",
        time=WRITTEN,
    )
    metadata = metadata_of(context_for(clients), change)
    sent = message_of(entity, envelope_of(entity, change, metadata, f"{name}-changed"))
    found: dict[str, Any] = json.loads(sent.data)
    return found


def test_the_event_of_an_erasure_leaves_out_what_it_erased(clients: Clients) -> None:
    before = {"created_by": "uid-4711", "status": "done", "_meta": {"write_id": "1"}}
    meta = {"erasure": "case-1", "write_id": "2", "actor": "service:x"}
    after = {"created_by": "erased-1", "status": "done", "_meta": meta}
    told = published(clients, "job", before, after)
    assert told["payload"]["before"] == {}
    assert told["payload"]["changed_fields"] == ["created_by"]
    assert told["payload"]["data"]["created_by"] == "erased-1"
    assert told["metadata"]["erasure"] == "case-1"
    assert "uid-4711" not in json.dumps(told)
    usual = published(clients, "job", before, {**after, "_meta": {**meta, "erasure": None}})
    assert usual["payload"]["before"] == {"created_by": "uid-4711"}


def test_the_deletion_of_an_erasure_tells_the_document_only(clients: Clients) -> None:
    context, human = context_for(clients), Human()
    path = plant(context, entities()["user"], {"user_id": human, "email": human})
    walk = walk_for(context, human)
    Documents().erase(walk)
    entity = entities()["user"]
    client_version = _deleted_version(context, path)
    fields = {"tenant_id": context.tenant_id, "user_id": human.user_id, "email": human.email, "role": "user"}
    before = DocumentVersion(fields=fields, create_time=WRITTEN, update_time=client_version)
    change = DocumentDelivery(path=path, parameters={}, before=before, after=None, event_id="e", time=WRITTEN)
    told = envelope_of(entity, change, metadata_of(context, change), "user-removed")
    assert told.metadata.erasure == walk.case
    assert told.payload.data == {"tenant_id": context.tenant_id, "user_id": human.user_id, "role": "user"}
    assert human.email not in told.model_dump_json()


def _deleted_version(context: Any, path: str) -> datetime:
    found = technical.read(context, tombstone_path(path))
    assert found is not None
    moment: datetime = found[0]["deleted_version"]
    return moment


@pytest.mark.parametrize(("seconds", "stored"), [(-5, False), (0, False), (5, True)])
def test_a_change_of_before_an_erasure_is_not_stored(
    clients: Clients, seconds: int, stored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_for(clients)
    data = {"keyword_id": "k1", "keyword": "of jane@example.com", "created_at": "2026-09-01T08:00:00.000000Z"}
    late = event(context.tenant_id, data, 0)
    erased_at = datetime.fromtimestamp(late.payload.sequence / 1e6, UTC) - timedelta(seconds=seconds)
    path, write = erasures.marker(
        context, late.payload.document, case="c", entity="keyword", operation="deleted", version=erased_at
    )
    transact(context, lambda work: work.write(path, write), answers=False)
    assert erasures.is_superseded(context, late.payload.document, sequence_of(erased_at, "updated"))
    assert not erasures.is_superseded(context, late.payload.document, sequence_of(erased_at, "deleted"))
    personal = dataclasses.replace(entities()["keyword"], personal=entities()["job"].personal)
    monkeypatch.setattr(sync, "entities", lambda: {"keyword": personal})
    appended: list[str] = []
    monkeypatch.setattr(sync, "append_together", lambda *arguments, **named: appended.append("row"))
    sync.handle(context, late)
    assert bool(appended) == stored


def test_people_are_remembered_by_digest_alone(clients: Clients) -> None:
    context, foreign, human = context_for(clients), context_for(clients), Human()
    person = walk_for(context, human).person
    digests = person.digests(context)
    erasures.remember(context, digests, "case-1")
    assert all(erasures.was_erased(context, each) for each in digests)
    assert not any(erasures.was_erased(foreign, each) for each in digests)
    assert not any(erasures.was_erased(context, each) for each in person.digests(foreign))
