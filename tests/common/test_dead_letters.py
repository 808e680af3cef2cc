"""Dead letters: kept with their bytes, found by operators, and sent again to the function that failed."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists
from google.api_core.exceptions import Conflict as BucketExists
from google.cloud import pubsub_v1

from common import dead_letters
from common.clients.firestore import firestore_client
from common.clients.pubsub import publisher_client
from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.context import PLATFORM_TENANT, Context
from common.dead_letters import MAX_INLINE, QUEUE, DeadLetterQuery, ReplayRequest, ReplayTask
from common.deliveries import MessageDelivery
from common.errors import BadRequest, Conflict, NotFound
from common.tasks import post_later
from common.technical import DEAD_LETTERS
from tests.common.queues import make_queues, tasks_of
from tests.common.things import context_of

SOURCE = "CloudPubSubDeadLetterSource"


@pytest.fixture
def function(clients: Clients) -> str:
    """Return the name of a function that fails, with a queue of its own."""
    name = f"fails-{uuid.uuid4().hex[:8]}"
    make_queues(clients, name, QUEUE)
    with contextlib.suppress(BucketExists):
        clients.get(storage_client).create_bucket(clients.settings.report_bucket)
    return name


@pytest.fixture
def context(clients: Clients, function: str) -> Context:
    return dataclasses.replace(context_of(clients, PLATFORM_TENANT), function=function)


def event(**changes: Any) -> bytes:
    """Return the bytes of a domain event."""
    envelope = {
        "event_type": "thing-created",
        "event_id": str(uuid.uuid4()),
        "tenant_id": "acme",
        "source_service": "tests",
        **changes,
    }
    return json.dumps(envelope).encode()


def given_up(function: str, data: bytes, attempts: int = 5, **attributes: str) -> MessageDelivery:
    """Return a message as it arrives from a dead-letter topic."""
    return MessageDelivery(
        data=data,
        attributes={
            **attributes,
            f"{SOURCE}DeliveryCount": str(attempts),
            f"{SOURCE}Subscription": function,
            f"{SOURCE}SubscriptionProject": "p",
        },
        message_id=f"m-{uuid.uuid4()}",
        ordering_key="things/1",
        subscription=f"projects/p/subscriptions/platform-dead-letter-store.{function}",
    )


def fields_of(context: Context, letter_id: str) -> Mapping[str, Any]:
    found = context.clients.get(firestore_client).document(f"{DEAD_LETTERS.path}/{letter_id}").get().to_dict()
    assert found is not None
    return found  # type: ignore[no-any-return]


def listed(context: Context, **query: Any) -> list[dead_letters.DeadLetter]:
    return dead_letters.list_dead_letters(context, DeadLetterQuery(**query)).items


def test_a_message_given_up_is_kept_once_with_its_bytes(context: Context, function: str) -> None:
    data = event()
    message = given_up(function, data, event_type="thing-created")
    letter_id = dead_letters.store(context, message)
    again = dataclasses.replace(message, message_id="forwarded once more")
    assert dead_letters.store(context, again) == letter_id
    [letter] = listed(context, function=function)
    assert letter.id == letter_id
    assert (letter.kind, letter.function, letter.status) == ("message", function, "pending")
    assert (letter.code, letter.attempts, letter.failures) == ("attempts_exhausted", 5, 2)
    assert (letter.topic, letter.tenant_id, letter.ordering_key) == ("tests-events", "acme", "things/1")
    assert not any("deadletter" in name.lower() for name in letter.attributes)
    assert fields_of(context, letter_id)["data"] == data


def test_the_source_is_recognised_however_the_push_spells_it(context: Context, function: str) -> None:
    plain = given_up(function, event())
    spelt = {name.lower(): value for name, value in plain.attributes.items()}
    dead_letters.store(context, dataclasses.replace(plain, attributes=spelt))
    bare = dataclasses.replace(plain, attributes={"event-type": "x"}, data=b"not json")
    dead_letters.store(context, bare)
    letters = listed(context, function=function)
    assert len(letters) == 2
    assert {letter.attributes.get("event_type") for letter in letters} == {"thing-created", "x"}


def test_a_message_is_replayed_to_its_topic_for_the_function_that_failed(
    context: Context, clients: Clients, function: str
) -> None:
    project = clients.settings.project
    topic, subscription = f"projects/{project}/topics/tests-events", f"projects/{project}/subscriptions/{function}"
    clients.get(publisher_client).create_topic(name=topic)
    subscriber = pubsub_v1.SubscriberClient()
    subscriber.create_subscription(name=subscription, topic=topic)
    data = event()
    letter_id = dead_letters.store(context, given_up(function, data, tenant_id="acme", extra="kept"))
    first = dead_letters.replay(context, letter_id)
    assert (first.status, first.replays) == ("replayed", 1)
    [received] = subscriber.pull(subscription=subscription, max_messages=9, timeout=10).received_messages
    assert received.message.data == data
    attributes = dict(received.message.attributes)
    assert attributes["replay_for"] == function
    assert (attributes["event_type"], attributes["extra"]) == ("thing-created", "kept")
    assert received.message.ordering_key == "things/1"
    assert [letter.id for letter in listed(context, function=function, status="replayed")] == [letter_id]
    assert listed(context, function=function, status="pending") == []

    failed_again = given_up(function, b"changed on its way", **attributes)
    assert dead_letters.store(context, failed_again) == letter_id, "a replay that fails is the same dead letter"
    [letter] = listed(context, function=function, status="pending")
    assert (letter.replays, letter.failures) == (1, 2)
    assert fields_of(context, letter_id)["data"] == data, "what came first is kept"
    assert dead_letters.replay(context, letter_id).replays == 2


def test_a_replay_that_fails_before_it_is_noted_stays_pending(
    context: Context, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = MessageDelivery(data=b"x", attributes={"ce-id": "1", "ce-type": "firestore"}, message_id="")
    letter_id = dead_letters.set_aside(context, delivery, "c", "r")

    def fails_at_once(*arguments: Any, **named: Any) -> str:
        dead_letters.set_aside(context, delivery, "c", "again")
        return post_later(*arguments, **named)

    monkeypatch.setattr(dead_letters, "post_later", fails_at_once)
    letter = dead_letters.replay(context, letter_id)
    assert (letter.status, letter.replays, letter.failures) == ("pending", 1, 2)


HEADERS = {"content-type": "application/protobuf", "authorization": "Bearer x", "host": "h", "user-agent": "u"}


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        ("document", {"ce-id": "e1", "ce-type": "google.cloud.firestore.document.v1.written", "ce-subject": "s"}),
        ("task", {"x-cloudtasks-taskname": "t1", "x-cloudtasks-taskretrycount": "2", "x-tenant-id": "acme"}),
        ("schedule", {"x-cloudscheduler-jobname": "j", "x-cloudscheduler-scheduletime": "2026-01-01T00:00:00Z"}),
    ],
)
def test_other_deliveries_are_posted_again_as_they_came(
    context: Context, function: str, kind: str, headers: dict[str, str]
) -> None:
    body = b"\x08\x01" + uuid.uuid4().bytes
    delivery = MessageDelivery(data=body, attributes={**HEADERS, **headers}, message_id="any")
    letter_id = dead_letters.set_aside(context, delivery, "unreadable", "It cannot be read.")
    assert dead_letters.set_aside(context, delivery, "unreadable", "It cannot be read.") == letter_id
    [letter] = listed(context, function=function)
    assert (letter.kind, letter.code, letter.reason, letter.failures) == (kind, "unreadable", "It cannot be read.", 2)
    dead_letters.replay(context, letter_id)
    queue = function if kind == "task" else QUEUE
    [task] = [task for task in tasks_of(context.clients, queue) if letter_id in task.name]
    request = task.http_request
    sent = {name.lower(): value for name, value in request.headers.items()}
    assert request.url.endswith(f"/{function}")
    assert request.oidc_token.service_account_email.startswith(f"{function}@")
    assert request.body == body
    assert sent["content-type"] == "application/protobuf"
    assert not {"authorization", "host", "x-cloudtasks-taskname"} & set(sent)
    assert sent["x-tenant-id"] == ("acme" if kind == "task" else PLATFORM_TENANT)
    again = MessageDelivery(data=body, attributes={**sent, **headers, "ce-id": "another"}, message_id="any")
    assert dead_letters.set_aside(context, again, "unreadable", "Still.") == letter_id


def pushed(data: bytes) -> MessageDelivery:
    message = {"data": base64.b64encode(data).decode(), "messageId": "1", "attributes": {"a": "b"}}
    body = json.dumps({"message": message, "subscription": "projects/p/subscriptions/s"}).encode()
    return MessageDelivery(data=body, attributes={"content-type": "application/json"}, message_id="any")


def test_a_poison_message_is_kept_without_its_wrapping(context: Context, function: str) -> None:
    letter_id = dead_letters.set_aside(context, pushed(b"not an event"), "invalid_envelope", "No.")
    [letter] = listed(context, function=function)
    assert (letter.kind, letter.message_id, letter.attributes, letter.topic) == ("message", "1", {"a": "b"}, None)
    assert fields_of(context, letter_id)["data"] == b"not an event"
    dead_letters.replay(context, letter_id)
    [task] = [task for task in tasks_of(context.clients, QUEUE) if letter_id in task.name]
    message = json.loads(task.http_request.body)["message"]
    assert base64.b64decode(message["data"]) == b"not an event"
    assert message["attributes"] == {"a": "b", "replay-of": letter_id}
    known = event()
    dead_letters.set_aside(context, pushed(known), "invalid_envelope", "No.")
    assert {letter.topic for letter in listed(context, function=function)} == {None, "tests-events"}


def test_an_unwrapped_poison_message_is_recognised_by_its_headers(context: Context, function: str) -> None:
    headers = {"x-goog-pubsub-message-id": "77", "x-goog-pubsub-subscription-name": "projects/p/subscriptions/s"}
    known = MessageDelivery(data=event(), attributes={**headers, "ce-id": "e", "event-type": "x"}, message_id="any")
    dead_letters.set_aside(context, known, "invalid_envelope", "No.")
    unknown = MessageDelivery(data=b"\xff", attributes={**headers, "event-type": "x"}, message_id="any")
    letter_id = dead_letters.set_aside(context, unknown, "invalid_envelope", "No.")
    letters = {letter.topic: letter for letter in listed(context, function=function)}
    assert letters["tests-events"].attributes["ce-id"] == "e"
    assert letters[None].message_id == "77"
    dead_letters.replay(context, letter_id)
    [task] = [task for task in tasks_of(context.clients, QUEUE) if letter_id in task.name]
    assert task.http_request.body == b"\xff"
    assert task.http_request.headers["x-goog-pubsub-message-id"] == "77"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"message": 3}', b'{"message": {"data": "%"}}', b"\xff\x00"])
def test_whatever_arrives_is_kept(context: Context, function: str, body: bytes) -> None:
    letter_id = dead_letters.set_aside(context, MessageDelivery(data=body, attributes={}, message_id="x"), "c", "r")
    assert fields_of(context, letter_id)["data"] == body


def test_large_bytes_go_to_cloud_storage(context: Context, function: str) -> None:
    data = event(padding="x" * MAX_INLINE)
    letter_id = dead_letters.set_aside(context, pushed(data), "invalid_envelope", "No.")
    fields = fields_of(context, letter_id)
    assert fields["data"] is None
    assert fields["size"] == len(data)
    with contextlib.suppress(AlreadyExists):
        topic = f"projects/{context.clients.settings.project}/topics/tests-events"
        context.clients.get(publisher_client).create_topic(name=topic)
    assert dead_letters.replay(context, letter_id).status == "replayed"
    huge = MessageDelivery(data=b"x" * 1_100_000, attributes={"ce-id": "h", "ce-type": "firestore"}, message_id="x")
    with pytest.raises(Conflict) as refusal:
        dead_letters.replay(context, dead_letters.set_aside(context, huge, "c", "r"))
    assert refusal.value.code == "not_replayable"


def test_many_are_replayed_by_tasks_and_once(context: Context, function: str) -> None:
    ids = {
        dead_letters.set_aside(
            context,
            MessageDelivery(data=b"x", attributes={"ce-id": str(n), "ce-type": "firestore"}, message_id=""),
            "c",
            "r",
        )
        for n in range(3)
    }
    first = dead_letters.replay_many(context, ReplayRequest(function=function, limit=2))
    assert first.more
    assert len(first.scheduled) == 2
    everything = dead_letters.replay_many(context, ReplayRequest(function=function))
    assert set(everything.scheduled) == ids
    assert not everything.more
    scheduled = [task for task in tasks_of(context.clients, QUEUE) if task.name.endswith("-scheduled")]
    bodies = [ReplayTask.model_validate_json(task.http_request.body) for task in scheduled]
    mine = [body for body in bodies if body.dead_letter_id in ids]
    assert len(mine) == 3
    for body in mine:
        dead_letters.replay_one(context, body)
    assert len(listed(context, function=function, status="replayed")) == 3
    dead_letters.replay_one(context, ReplayTask(dead_letter_id="f" * 64))


def test_the_list_pages_and_unknown_ids_are_not_found(context: Context, function: str) -> None:
    for n in range(3):
        attributes = {"ce-id": str(n), "ce-type": "firestore"}
        delivery = MessageDelivery(data=b"x", attributes=attributes, message_id="")
        dead_letters.set_aside(context, delivery, "c", "r")
    seen: list[str] = []
    cursor = None
    while True:
        page = dead_letters.list_dead_letters(context, DeadLetterQuery(function=function, limit=1, cursor=cursor))
        seen += [letter.message_id for letter in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["2", "1", "0"]
    first = dead_letters.list_dead_letters(context, DeadLetterQuery(function=function, limit=1)).next_cursor
    with pytest.raises(BadRequest):
        dead_letters.list_dead_letters(context, DeadLetterQuery(function="other", limit=1, cursor=first))
    for letter_id in ("f" * 64, "../x", "", "x" * 5000):
        with pytest.raises(NotFound):
            dead_letters.replay(context, letter_id)


def test_a_dead_letter_is_kept_for_a_while_only(context: Context, function: str) -> None:
    delivery = MessageDelivery(data=b"x", attributes={}, message_id="")
    fields = fields_of(context, dead_letters.set_aside(context, delivery, "c", "r"))
    assert (fields["expires_at"] - datetime.now(UTC)).days in {89, 90}
