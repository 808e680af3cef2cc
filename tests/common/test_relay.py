"""The relay: what an event says of a change, and that it says the same every time."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import pubsub_v1
from hypothesis import given
from hypothesis import strategies as st

from common import relay
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context, Principal
from common.deliveries import DocumentDelivery, DocumentVersion
from common.errors import PoisonEvent
from common.events import EventMetadata, event_id_of
from common.registry import EntityRecord, entities
from common.relay import EventMessage, entity_of, envelope_of, event_type_of, json_value, message_of, metadata_of
from common.tombstones import tombstone, tombstone_path

WRITTEN = datetime(2026, 9, 1, 8, 0, 0, 123456, tzinfo=UTC)
ENTITY = EntityRecord(
    name="content_piece",
    domain="aso",
    collection="content_pieces",
    location="shared",
    key="content_id",
    events={
        "created": "content-created",
        "updated": "content-updated",
        "updated:status=published": "content-published",
        "updated:pinned=true": "content-pinned",
    },
    table=entities()["content_piece"].table,
    caches={},
    wakes=(),
    personal=(),
    secret=("token",),
    schema_version=3,
)
SERVICE = Principal(kind="service", id="relay@demo.iam.gserviceaccount.com")
NOBODY = EventMetadata(correlation_id="c")


def version(fields: Mapping[str, Any], seconds: float = 0) -> DocumentVersion:
    moment = WRITTEN + timedelta(seconds=seconds)
    return DocumentVersion(fields={"tenant_id": "demo", **fields}, create_time=WRITTEN, update_time=moment)


def delivery(
    before: DocumentVersion | None, after: DocumentVersion | None, path: str = "content_pieces/c1"
) -> DocumentDelivery:
    return DocumentDelivery(
        path=path, parameters={}, before=before, after=after, event_id="e1", time=WRITTEN + timedelta(minutes=1)
    )


def message(change: DocumentDelivery) -> EventMessage:
    return message_of(ENTITY, envelope_of(ENTITY, change, NOBODY, event_type_of(ENTITY, change) or ""))


def payload(change: DocumentDelivery) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message(change).data)["payload"]
    return found


def test_an_event_carries_the_change_and_no_secret() -> None:
    before = version({"title": "old", "token": "s3cret", "_meta": {"actor": "a"}, "views": 1})
    after = version({"title": "new", "token": "s3cret-2", "_meta": {"actor": "b"}, "at": WRITTEN}, 60)
    sent = message(delivery(before, after))
    envelope = json.loads(sent.data)
    assert envelope["event_type"] == "content-updated"
    assert envelope["event_id"] == str(event_id_of("content_pieces/c1", envelope["payload"]["sequence"]))
    assert envelope["timestamp"] == "2026-09-01T08:01:00.123456Z"
    assert envelope["payload"] == {
        "entity": "content_piece",
        "document": "content_pieces/c1",
        "document_id": "c1",
        "operation": "updated",
        "sequence": 1788249660123456,
        "data": {"tenant_id": "demo", "title": "new", "at": "2026-09-01T08:00:00.123456Z"},
        "before": {"title": "old", "views": 1},
        "changed_fields": ["at", "title", "views"],
        "secret_changed": ["token"],
    }
    assert b"s3cret" not in sent.data
    assert sent.ordering_key == "content_pieces/c1"
    assert sent.topic == "aso-events"
    assert sent.attributes == {
        "event_type": "content-updated",
        "tenant_id": "demo",
        "entity": "content_piece",
        "source_service": "aso",
        "schema_version": "3",
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": envelope["event_id"],
        "ce-source": "/xynergy/aso",
        "ce-type": "xynergy.content-updated",
        "ce-subject": "content_pieces/c1",
        "ce-time": "2026-09-01T08:01:00.123456Z",
    }


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, {"status": "draft"}, "content-created"),
        ({"status": "draft"}, {"status": "published"}, "content-published"),
        ({"status": "published", "n": 1}, {"status": "published", "n": 2}, "content-updated"),
        ({"pinned": False}, {"pinned": True}, "content-pinned"),
        ({"status": "draft"}, None, "content-piece-deleted"),
    ],
)
def test_event_types_follow_the_declaration(
    before: dict[str, Any] | None, after: dict[str, Any] | None, expected: str
) -> None:
    change = delivery(version(before) if before else None, version(after, 1) if after else None)
    assert event_type_of(ENTITY, change) == expected


VERSIONS: Mapping[str, tuple[dict[str, Any] | None, dict[str, Any] | None]] = {
    "created": (None, {"views": 1}),
    "updated": ({"views": 1}, {"views": 2}),
    "deleted": ({"views": 2}, None),
}


@pytest.mark.parametrize("operation", VERSIONS)
@pytest.mark.parametrize("name", sorted(entities()))
def test_every_operation_of_every_entity_is_told_unless_the_entity_is_the_trails_own(name: str, operation: str) -> None:
    entity = entities()[name]
    before, after = (None if each is None else version(each) for each in VERSIONS[operation])
    told = event_type_of(entity, delivery(before, after)) is not None
    assert told or entity.audited == "never"


def test_a_secret_that_stays_the_same_has_not_changed() -> None:
    before, after = version({"token": "s", "views": 1}), version({"token": "s", "views": 2}, 1)
    assert payload(delivery(before, after))["secret_changed"] == []
    assert payload(delivery(None, after))["secret_changed"] == ["token"]
    assert payload(delivery(after, None))["secret_changed"] == ["token"]


def test_a_write_past_the_repository_is_not_laid_to_the_last_writer(clients: Clients) -> None:
    context = Context(function="platform-relay-shared", tenant_id="_platform", principal=SERVICE, clients=clients)
    meta = {"actor": "user:u1", "request_id": "r1", "correlation_id": "r1", "function": "f", "write_id": "1"}
    first = version({"title": "a", "_meta": meta})
    by_function = delivery(first, version({"title": "b", "_meta": {**meta, "write_id": "2"}}, 1))
    by_client = delivery(first, version({"title": "b", "_meta": meta}, 1))
    assert metadata_of(context, by_function).actor == "user:u1"
    assert metadata_of(context, by_function).function == "f"
    told = metadata_of(context, by_client)
    assert (told.actor, told.request_id, told.function) == (None, None, None)
    assert told.correlation_id == "e1"


def test_a_silent_declaration_of_the_trails_own_publishes_nothing() -> None:
    quiet = dataclasses.replace(ENTITY, table=None, audited="never", events={"created": "content-created"})
    assert event_type_of(quiet, delivery(version({"views": 1}), version({"views": 2}, 1))) is None
    assert event_type_of(quiet, delivery(None, version({}))) == "content-created"


def test_a_deletion_is_one_microsecond_after_the_last_version() -> None:
    last = version({"title": "t"}, 5)
    found = payload(delivery(last, None))
    assert found["operation"] == "deleted"
    assert found["sequence"] == payload(delivery(None, last))["sequence"] + 1
    assert found["data"] == {"tenant_id": "demo", "title": "t"}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("content_pieces/c1", "content_piece"),
        ("tenants/demo", "tenant"),
        ("unheard_of/x", None),
        ("tenants/demo/content_pieces/c1", None),
        ("system/warehouse/marks/m", None),
    ],
)
def test_only_declared_collections_at_their_place_are_relayed(path: str, name: str | None) -> None:
    found = entity_of(delivery(None, version({}), path))
    assert (found and found.name) == name


@pytest.mark.parametrize("tenant", [None, "", 7, "_platform", "UPPER", "a b"])
def test_a_document_without_a_tenant_is_poison(tenant: object) -> None:
    with pytest.raises(PoisonEvent) as caught:
        message(delivery(None, version({"tenant_id": tenant})))
    assert caught.value.code == "tenant_missing"


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.datetimes(timezones=st.just(UTC))
    | st.text(max_size=5)
    | st.binary(max_size=5)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.builds(lambda path: {"reference": path}, st.text(max_size=5))
    ),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.sampled_from(["a", "b", "c", "d", "token", "_meta"]), VALUES, max_size=6)


@given(old=FIELDS, new=FIELDS)
def test_applying_a_change_to_the_old_version_gives_the_new_one(old: dict[str, Any], new: dict[str, Any]) -> None:
    known = payload(delivery(None, version(old)))["data"]
    change = payload(delivery(version(old), version(new, 1)))
    kept = {name: value for name, value in known.items() if name not in change["changed_fields"]}
    applied = kept | {name: change["data"][name] for name in change["changed_fields"] if name in change["data"]}
    assert exact(applied) == exact(change["data"]) == exact(payload(delivery(None, version(new)))["data"])
    undone = kept | change["before"]
    assert exact(undone) == exact(known), "and back"


@given(old=FIELDS, new=FIELDS)
def test_a_redelivered_change_is_the_same_message(old: dict[str, Any], new: dict[str, Any]) -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turned(item) for name, item in reversed(value.items())}
        return [turned(item) for item in value] if isinstance(value, list) else value

    first = message(delivery(version(old), version(new, 1)))
    assert message(delivery(version(turned(old)), version(turned(new), 1))) == first


def exact(value: object) -> str:
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        (b"\x00\xff", "AP8="),
        ({"reference": "keywords/k1"}, "keywords/k1"),
        ({"latitude": 1.5, "longitude": 2.0}, {"latitude": 1.5, "longitude": 2.0}),
    ],
)
def test_values_become_json(value: object, expected: object) -> None:
    assert json_value(value) == expected


def test_who_deleted_comes_from_the_tombstone_of_that_very_version(clients: Clients) -> None:
    context = Context(function="platform-relay-shared", tenant_id="_platform", principal=SERVICE, clients=clients)
    last = version({"title": "t"}, 5)
    meta: dict[str, str | None] = {"request_id": "r1", "correlation_id": "k1", "actor": "key:1", "traceparent": None}
    left = tombstone("content_pieces/c1", "demo", meta, last.update_time)
    clients.get(firestore_client).document(tombstone_path("content_pieces/c1")).set(left)
    assert relay.metadata_of(context, delivery(last, None)) == EventMetadata(
        correlation_id="k1", actor="key:1", request_id="r1"
    )
    other = relay.metadata_of(context, delivery(version({}, 6), None))
    assert other == EventMetadata(correlation_id="e1"), "the tombstone of another deletion says nothing"


def test_a_change_arrives_at_the_domain_topic(clients: Clients, emulators: Any) -> None:
    project = clients.settings.project
    publisher, subscriber = pubsub_v1.PublisherClient(), pubsub_v1.SubscriberClient()
    topic = publisher.topic_path(project, "aso-events")
    subscription = subscriber.subscription_path(project, "seen")
    publisher.create_topic(name=topic)
    subscriber.create_subscription(request={"name": subscription, "topic": topic, "enable_message_ordering": True})
    context = Context(function="platform-relay-shared", tenant_id="_platform", principal=SERVICE, clients=clients)
    change = delivery(None, version({"title": "t", "_meta": {"request_id": "r1", "correlation_id": "k1"}}))
    relay.relay(context, change)
    relay.relay(context, delivery(None, version({}), "unheard_of/x"))
    received = subscriber.pull(subscription=subscription, max_messages=5, timeout=20).received_messages
    assert len(received) == 1
    envelope = json.loads(received[0].message.data)
    assert envelope["metadata"]["correlation_id"] == "k1"
    assert received[0].message.ordering_key == "content_pieces/c1"
    assert received[0].message.attributes["ce-id"] == envelope["event_id"]
    subscriber.close()
