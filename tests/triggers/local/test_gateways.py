"""What functions receive from Firestore and Pub/Sub, against the shapes production sends."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Iterator

import pytest
from google.cloud import firestore
from google.events.cloud.firestore_v1.types import DocumentEventData

from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.publish import publish
from common.service_identity import verify_invoker
from common.settings import Settings
from tests.stack import TestEmulators, wait_for
from tests.triggers.local.receiver import Received, Receiver, receiving
from triggers.declaration import Document, Message, Retry
from triggers.local.deliveries import Dispatcher
from triggers.local.documents import DocumentGateway
from triggers.local.functions import DEAD_LETTERS, LocalFunction
from triggers.local.identity import Addresses
from triggers.local.messages import MessageGateway

SCALE = 0.005


def function(name: str, declaration: Document | Message) -> LocalFunction:
    return LocalFunction(name=name, module="none", entry_point="none", declaration=declaration)


FUNCTIONS = [
    function("watch-written", Document(path="things/{thing_id}")),
    function("watch-created", Document(path="tenants/{tenant_id}/{collection}/{document_id}", change="created")),
    function("take-all", Message(topic="aso-events", retry=Retry(attempts=5, minimum=10, maximum=60))),
    function("take-some", Message(topic="aso-events", filter='attributes.kind = "wanted"')),
    function("take-dead", Message(topic=DEAD_LETTERS, dead_letter=False)),
]


class Stage:
    """Gateways that deliver to a receiver."""

    def __init__(self, settings: Settings, emulators: TestEmulators, receiver: Receiver) -> None:
        self.settings = settings
        self.receiver = receiver
        self.dispatcher = Dispatcher(threads=32)
        addresses = Addresses(settings)
        self.documents = DocumentGateway(
            functions=FUNCTIONS,
            project=settings.project,
            firestore=emulators.firestore,
            events=emulators.services.events,
            dispatcher=self.dispatcher,
            addresses=addresses,
            retry_scale=SCALE,
        )
        self.messages = MessageGateway(
            functions=FUNCTIONS,
            domains=["aso"],
            project=settings.project,
            dispatcher=self.dispatcher,
            addresses=addresses,
            retry_scale=SCALE,
        )

    def start(self) -> None:
        self.messages.create()
        self.documents.start()
        self.messages.start()

    def stop(self) -> None:
        self.messages.stop()
        self.documents.stop()
        self.dispatcher.close()

    def got(self, name: str) -> list[Received]:
        with self.receiver.lock:
            return [each for each in self.receiver.requests if each.path == f"/{name}"]


@pytest.fixture
def stage(emulators: TestEmulators) -> Iterator[Stage]:
    with receiving() as receiver:
        settings = emulators.settings("gateways", {"XYNERGY_FUNCTION_URL": receiver.url + "/{function}"})
        running = Stage(settings, emulators, receiver)
        running.start()
        yield running
        running.stop()


def database(stage: Stage) -> firestore.Client:
    return Clients(stage.settings).get(firestore_client)


def test_a_document_event_looks_as_eventarc_sends_it(stage: Stage) -> None:
    database(stage).document("things/one").set({"colour": "red"})
    [got] = wait_for(lambda: stage.got("watch-written"))
    headers = got.headers
    assert headers["content-type"] == "application/protobuf"
    assert headers["ce-specversion"] == "1.0"
    assert headers["ce-type"] == "google.cloud.firestore.document.v1.written"
    assert headers["ce-source"] == f"//firestore.googleapis.com/projects/{stage.settings.project}/databases/(default)"
    assert headers["ce-subject"] == "documents/things/one"
    assert headers["ce-document"] == "things/one"
    assert headers["ce-database"] == "(default)"
    uuid.UUID(headers["ce-id"])
    event = DocumentEventData.deserialize(got.body)
    assert event.value.fields["colour"].string_value == "red"
    assert event.value.name.endswith("/databases/(default)/documents/things/one")
    assert (
        verify_invoker(stage.settings, {"Authorization": headers["authorization"]}, "watch-written").kind == "service"
    )


def test_a_write_without_effect_fires_nothing(stage: Stage) -> None:
    document = database(stage).document("things/two")
    document.set({"colour": "red"})
    document.set({"colour": "red"})
    document.set({"colour": "blue"})
    document.delete()
    wait_for(lambda: len(stage.got("watch-written")) >= 3)
    database(stage).document("things/last").set({"n": 1})
    wait_for(lambda: any(each.headers["ce-document"] == "things/last" for each in stage.got("watch-written")))
    events = [each for each in stage.got("watch-written") if each.headers["ce-document"] == "things/two"]
    assert len(events) == 3


def test_a_pattern_with_a_collection_wildcard_fires_for_that_depth_only(stage: Stage) -> None:
    database(stage).document("tenants/acme/deals/d1").set({"n": 1})
    database(stage).document("tenants/acme/deals/d1/notes/n1").set({"n": 1})
    database(stage).document("tenants/acme").set({"n": 1})
    database(stage).document("tenants/acme/deals/d2").set({"n": 1})
    wait_for(lambda: len(stage.got("watch-created")) == 2)
    assert {each.headers["ce-document"] for each in stage.got("watch-created")} == {
        "tenants/acme/deals/d1",
        "tenants/acme/deals/d2",
    }


def test_a_failing_document_function_is_tried_again_and_does_not_hold_up_others(stage: Stage) -> None:
    failures = 3
    gate = threading.Event()

    def answer(request: Received) -> int:
        nonlocal failures
        if request.headers.get("ce-document") == "things/slow":
            gate.wait(20)
        elif request.headers.get("ce-document") == "things/bad" and failures:
            failures -= 1
            return 500
        return 200

    stage.receiver.answer = answer
    for name in ("slow", "bad", *(f"good{number}" for number in range(10))):
        database(stage).document(f"things/{name}").set({"n": 1})
    wait_for(lambda: len(stage.got("watch-written")) == 1 + 4 + 10)
    gate.set()
    tries = [each for each in stage.got("watch-written") if each.headers["ce-document"] == "things/bad"]
    assert len({each.headers["ce-id"] for each in tries}) == 1
    wait_for(lambda: not stage.dispatcher.pending())


def data_of(push: Received) -> bytes:
    """Return the data of a wrapped push."""
    return base64.b64decode(json.loads(push.body)["message"]["data"])


def test_a_push_is_wrapped_as_production_wraps_it(stage: Stage) -> None:
    attributes = {"kind": "other", "tenant_id": "acme"}
    message_id = stage.messages.publish("aso-events", b'{"n": 1}', attributes)
    [got] = wait_for(lambda: stage.got("take-all"))
    body = json.loads(got.body)
    assert got.headers["content-type"] == "application/json"
    assert base64.b64decode(body["message"]["data"]) == b'{"n": 1}'
    assert body["message"]["attributes"] == attributes
    assert body["message"]["messageId"] == body["message"]["message_id"] == message_id
    assert body["message"]["publishTime"].endswith("Z")
    assert body["subscription"] == f"projects/{stage.settings.project}/subscriptions/take-all"
    assert body["deliveryAttempt"] == 1
    authorization = {"Authorization": got.headers["authorization"]}
    assert verify_invoker(stage.settings, authorization, "take-all").kind == "service"


def test_a_message_without_data_keeps_its_attributes(stage: Stage) -> None:
    stage.messages.publish("aso-events", b"", {"kind": "other"})
    [got] = wait_for(lambda: stage.got("take-all"))
    message = json.loads(got.body)["message"]
    assert "data" not in message
    assert message["attributes"] == {"kind": "other"}


def test_a_filter_keeps_unwanted_messages_away(stage: Stage) -> None:
    stage.messages.publish("aso-events", b"1", {"kind": "unwanted"})
    stage.messages.publish("aso-events", b"2", {"kind": "wanted"})
    wait_for(lambda: len(stage.got("take-all")) == 2 and stage.got("take-some"))
    assert [data_of(each) for each in stage.got("take-some")] == [b"2"]


def test_a_replay_reaches_the_consumer_it_is_meant_for_and_no_other(stage: Stage) -> None:
    stage.messages.publish("aso-events", b"again", {"kind": "wanted", "replay_for": "take-some"})
    stage.messages.publish("aso-events", b"new", {"kind": "wanted"})
    wait_for(lambda: len(stage.got("take-some")) == 2 and stage.got("take-all"))
    assert sorted(data_of(each) for each in stage.got("take-some")) == [b"again", b"new"]
    assert [data_of(each) for each in stage.got("take-all")] == [b"new"]


def test_a_message_that_fails_every_time_ends_in_the_dead_letter_topic(stage: Stage) -> None:
    stage.receiver.answer = lambda request: 500 if request.path == "/take-all" else 200
    stage.messages.publish("aso-events", b"poison", {"kind": "other"})
    [dead] = wait_for(lambda: stage.got("take-dead"))
    assert [json.loads(each.body)["deliveryAttempt"] for each in stage.got("take-all")] == [1, 2, 3, 4, 5]
    assert data_of(dead) == b"poison"
    attributes = json.loads(dead.body)["message"]["attributes"]
    assert attributes["kind"] == "other"
    assert attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"
    assert attributes["CloudPubSubDeadLetterSourceSubscription"] == "take-all"
    assert attributes["CloudPubSubDeadLetterSourceSubscriptionProject"] == stage.settings.project
    assert attributes["CloudPubSubDeadLetterSourceTopicPublishTime"].endswith("+00:00")


def test_messages_are_pushed_concurrently(stage: Stage) -> None:
    """The emulator's own push would stop at two."""
    barrier = threading.Barrier(10)

    def answer(request: Received) -> int:
        if request.path == "/take-all":
            barrier.wait(20)
        return 200

    stage.receiver.answer = answer
    for number in range(10):
        stage.messages.publish("aso-events", str(number).encode(), {})
    wait_for(lambda: stage.dispatcher.status()["take-all"]["delivered"] == 10)


def test_messages_of_one_key_do_not_wait_for_each_other(stage: Stage) -> None:
    """A subscription without order promises none, whatever the publisher's ordering key; nobody may rely on it."""
    stage.dispatcher.pause("take-all")
    for number in range(3):
        publish(Clients(stage.settings), "aso-events", str(number).encode(), {}, "things/one")
    wait_for(lambda: stage.dispatcher.status()["take-all"]["waiting"] == 3)
    stage.dispatcher.resume("take-all", "reversed")
    wait_for(lambda: len(stage.got("take-all")) == 3)


def test_deliveries_can_be_held_back_reordered_and_duplicated(stage: Stage) -> None:
    stage.dispatcher.pause("take-all")
    for number in range(3):
        stage.messages.publish("aso-events", str(number).encode(), {})
    wait_for(lambda: stage.dispatcher.status()["take-all"]["waiting"] == 3)
    stage.dispatcher.lane("take-all", concurrency=1)
    stage.dispatcher.resume("take-all", "reversed")
    wait_for(lambda: len(stage.got("take-all")) == 3)
    assert [data_of(each) for each in stage.got("take-all")] == [b"2", b"1", b"0"]
    stage.dispatcher.duplicate("take-all", 3)
    stage.messages.publish("aso-events", b"twin", {})
    wait_for(lambda: [data_of(each) for each in stage.got("take-all")].count(b"twin") == 3)
