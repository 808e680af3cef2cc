"""Parsers, against the shapes that Google documents and delivers."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from google.events.cloud.firestore_v1 import DocumentEventData
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ConfigurationError, PoisonEvent
from triggers.parsers.firestore import DocumentPattern, parse_change
from triggers.parsers.pubsub import parse_message
from triggers.parsers.scheduler import parse_run
from triggers.parsers.tasks import parse_task

JSON = {"content-type": "application/json"}

WRAPPED = b"""{
    "deliveryAttempt": 5,
    "message": {
        "attributes": {"key": "value", "Tenant_ID": "acme"},
        "data": "SGVsbG8gQ2xvdWQgUHViL1N1YiEgSGVyZSBpcyBteSBtZXNzYWdlIQ==",
        "messageId": "2070443601311540",
        "message_id": "2070443601311540",
        "orderingKey": "key",
        "publishTime": "2021-02-26T19:13:55.749Z",
        "publish_time": "2021-02-26T19:13:55.749Z"
    },
    "subscription": "projects/myproject/subscriptions/mysubscription"
}"""
"""The example of https://cloud.google.com/pubsub/docs/push, with attempt, attributes and ordering key."""

NAME = "projects/demo/databases/(default)/documents/"

GOLDEN_UPDATE = bytes.fromhex(
    "0a5c"  # value
    "0a3470726f6a656374732f64656d6f2f6461746162617365732f2864656661756c74292f646f63756d656e74732f6e6f7465732f6e31"
    "120a0a0473697a6512021004"  # fields: size is the integer 4
    "1a0a08c0ddf7cb0610f8c007"  # create_time: 1769860800 s, 123000 ns
    "220c08c1ddf7cb0610f8fcc7de01"  # update_time: 1769860801 s, 466747000 ns
)
"""A DocumentEventData as it travels."""


class TestPubSub:
    def test_wrapped(self) -> None:
        message = parse_message(JSON, WRAPPED)
        assert message.data == b"Hello Cloud Pub/Sub! Here is my message!"
        assert message.attributes == {"key": "value", "Tenant_ID": "acme"}
        assert message.message_id == "2070443601311540"
        assert message.ordering_key == "key"
        assert message.publish_time == datetime(2021, 2, 26, 19, 13, 55, 749_000, tzinfo=UTC)
        assert message.subscription == "projects/myproject/subscriptions/mysubscription"
        assert message.delivery_attempt == 5

    def test_either_spelling_is_enough(self) -> None:
        delivery = json.loads(WRAPPED)
        whole = parse_message(JSON, WRAPPED)
        for name in ("messageId", "publishTime"):
            del delivery["message"][name]
        assert parse_message(JSON, json.dumps(delivery).encode()) == whole

    @pytest.mark.parametrize("delivery", [{"message": {"messageId": "1"}}, {"message": {"messageId": "1", "data": ""}}])
    def test_no_data_no_attributes(self, delivery: dict[str, Any]) -> None:
        message = parse_message(JSON, json.dumps(delivery).encode())
        assert (message.data, message.attributes, message.delivery_attempt) == (b"", {}, None)

    def test_eventarc_in_binary_mode(self) -> None:
        headers = {
            **JSON,
            "ce-id": "2070443601311540",
            "ce-source": "//pubsub.googleapis.com/projects/p/topics/t",
            "ce-specversion": "1.0",
            "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        }
        assert parse_message(headers, WRAPPED) == parse_message(JSON, WRAPPED)

    @pytest.mark.parametrize("encoded", [False, True])
    def test_eventarc_in_structured_mode(self, encoded: bool) -> None:
        event: dict[str, Any] = {"specversion": "1.0", "id": "1", "type": "t", "source": "s"}
        event |= {"data_base64": base64.b64encode(WRAPPED).decode()} if encoded else {"data": json.loads(WRAPPED)}
        headers = {"content-type": "application/cloudevents+json; charset=utf-8"}
        assert parse_message(headers, json.dumps(event).encode()) == parse_message(JSON, WRAPPED)

    def test_unwrapped_with_metadata(self) -> None:
        headers = {
            "content-type": "application/json",
            "authorization": "Bearer secret",
            "user-agent": "CloudPubSub-Google",
            "x-cloud-trace-context": "abc/1",
            "x-forwarded-for": "1.2.3.4",
            "x-goog-pubsub-subscription-name": "projects/p/subscriptions/s",
            "x-goog-pubsub-message-id": "2070443601311540",
            "x-goog-pubsub-publish-time": "2021-02-26T19:13:55.749Z",
            "x-goog-pubsub-ordering-key": "notes/1",
            "tenant-id": "acme",
        }
        message = parse_message(headers, b'{"a": 1}')
        assert message.data == b'{"a": 1}'
        assert message.attributes == {"tenant-id": "acme"}
        assert message.message_id == "2070443601311540"
        assert message.ordering_key == "notes/1"
        assert message.subscription == "projects/p/subscriptions/s"
        assert message.publish_time == datetime(2021, 2, 26, 19, 13, 55, 749_000, tzinfo=UTC)
        assert message.delivery_attempt is None

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"[]",
            b"\xff",
            b"[" * 5000,
            b"{}",
            b'{"message": 1}',
            b'{"message": {}}',
            b'{"message": {"messageId": "1", "data": "a"}}',
            b'{"message": {"messageId": "1", "data": 7}}',
            b'{"message": {"messageId": "1", "attributes": [1]}}',
            b'{"message": {"messageId": "1", "publishTime": "yesterday"}}',
            b'{"message": {"messageId": "1"}, "deliveryAttempt": "x"}',
        ],
    )
    def test_anything_else_is_poison(self, content: bytes) -> None:
        with pytest.raises(PoisonEvent) as caught:
            parse_message(JSON, content)
        assert caught.value.code == "malformed_delivery"

    @given(data=st.binary(), attributes=st.dictionaries(st.text(), st.text()), key=st.text())
    def test_what_is_published_arrives(self, data: bytes, attributes: dict[str, str], key: str) -> None:
        body = {
            "message": {
                "data": base64.b64encode(data).decode(),
                "attributes": attributes,
                "messageId": "1",
                "orderingKey": key,
            }
        }
        message = parse_message(JSON, json.dumps(body).encode())
        assert (message.data, message.attributes, message.ordering_key) == (data, attributes, key)


def ce(**changes: str) -> dict[str, str]:
    """Return the headers of a Firestore event."""
    return {
        "content-type": "application/protobuf",
        "ce-id": "e-1",
        "ce-type": "google.cloud.firestore.document.v1.written",
        "ce-time": "2026-01-31T12:00:00.123456789Z",
        "ce-document": "notes/n1",
        **changes,
    }


def change_of(data: dict[str, Any], pattern: str = "notes/{note_id}", **headers: str) -> Any:
    content = DocumentEventData.serialize(DocumentEventData(data))
    return parse_change(ce(**headers), content, DocumentPattern(pattern))


class TestFirestore:
    def test_golden_bytes(self) -> None:
        change = parse_change(ce(), GOLDEN_UPDATE, DocumentPattern("notes/{note_id}"))
        assert change.path == "notes/n1"
        assert change.parameters == {"note_id": "n1"}
        assert change.before is None
        assert change.after is not None
        assert change.after.fields == {"size": 4}
        assert change.after.create_time == datetime(2026, 1, 31, 12, 0, 0, 123, tzinfo=UTC)
        assert change.after.update_time == datetime(2026, 1, 31, 12, 0, 1, 466_747, tzinfo=UTC)
        assert change.event_id == "e-1"
        assert change.time == datetime(2026, 1, 31, 12, 0, 0, 123_456, tzinfo=UTC)
        assert change.database == "(default)"

    def test_every_type_of_value(self) -> None:
        moment = datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC)
        fields: dict[str, Any] = {
            "none": {"null_value": 0},
            "yes": {"boolean_value": True},
            "whole": {"integer_value": 2**62},
            "half": {"double_value": 0.5},
            "when": {"timestamp_value": moment},
            "text": {"string_value": "ü"},
            "bytes": {"bytes_value": b"\x00\xff"},
            "here": {"reference_value": f"{NAME}notes/n2"},
            "elsewhere": {"reference_value": "projects/other/databases/x/documents/notes/n2"},
            "place": {"geo_point_value": {"latitude": 1.5, "longitude": -2.5}},
            "list": {"array_value": {"values": [{"integer_value": 1}, {"string_value": "a"}]}},
            "map": {"map_value": {"fields": {"inner": {"map_value": {"fields": {}}}}}},
            "empty": {"array_value": {}},
            "unset": {},
        }
        change = change_of({"value": {"name": f"{NAME}notes/n1", "fields": fields}})
        assert change.after.fields == {
            "none": None,
            "yes": True,
            "whole": 2**62,
            "half": 0.5,
            "when": moment,
            "text": "ü",
            "bytes": b"\x00\xff",
            "here": {"reference": "notes/n2"},
            "elsewhere": {"reference": "projects/other/databases/x/documents/notes/n2"},
            "place": {"latitude": 1.5, "longitude": -2.5},
            "list": [1, "a"],
            "map": {"inner": {}},
            "empty": [],
            "unset": None,
        }
        assert type(change.after.fields["yes"]) is bool

    def test_created_updated_deleted(self) -> None:
        version = {"name": f"{NAME}notes/n1", "fields": {"a": {"integer_value": 1}}}
        created = change_of({"value": version})
        updated = change_of({"value": version, "old_value": version})
        deleted = change_of({"old_value": version})
        empty = change_of({"value": {}, "old_value": version})
        assert (created.before, updated.before.fields, deleted.after, empty.after) == (None, {"a": 1}, None, None)
        assert deleted.before.fields == {"a": 1}

    def test_a_named_database(self) -> None:
        change = change_of({"value": {"name": "projects/p/databases/eu-data/documents/notes/n1"}})
        assert (change.database, change.path) == ("eu-data", "notes/n1")

    def test_the_path_comes_from_the_document_not_from_an_encoded_header(self) -> None:
        change = change_of({"value": {"name": f"{NAME}notes/grüße & co"}}, **{"ce-document": "notes/gr%C3%BC%C3%9Fe"})
        assert change.path == "notes/grüße & co"

    def test_in_json_too(self) -> None:
        event = {
            "value": {"name": f"{NAME}notes/n1", "fields": {"size": {"integerValue": "4"}}},
            "updateMask": {"fieldPaths": ["size"]},
        }
        change = parse_change(
            ce(**{"content-type": "application/json"}), json.dumps(event).encode(), DocumentPattern("notes/{id}")
        )
        assert change.after is not None
        assert change.after.fields == {"size": 4}

    def test_in_structured_mode(self) -> None:
        event = {
            "specversion": "1.0",
            "id": "e-9",
            "type": "google.cloud.firestore.document.v1.written",
            "time": "2026-01-31T12:00:00Z",
            "datacontenttype": "application/protobuf",
            "data_base64": base64.b64encode(GOLDEN_UPDATE).decode(),
        }
        change = parse_change(
            {"content-type": "application/cloudevents+json"}, json.dumps(event).encode(), DocumentPattern("notes/{id}")
        )
        assert (change.event_id, change.path) == ("e-9", "notes/n1")

    @pytest.mark.parametrize(
        ("headers", "content", "code"),
        [
            ({}, b"", "change_without_data"),
            ({}, b"\xff\xff\xff", "malformed_delivery"),
            ({"content-type": "application/json"}, b"{", "malformed_delivery"),
            ({"ce-id": ""}, GOLDEN_UPDATE, "malformed_delivery"),
            ({"ce-time": "noon"}, GOLDEN_UPDATE, "malformed_delivery"),
        ],
    )
    def test_anything_else_is_poison(self, headers: dict[str, str], content: bytes, code: str) -> None:
        with pytest.raises(PoisonEvent) as caught:
            parse_change(ce(**headers), content, DocumentPattern("notes/{note_id}"))
        assert caught.value.code == code

    def test_another_collection_is_poison(self) -> None:
        with pytest.raises(PoisonEvent) as caught:
            parse_change(ce(), GOLDEN_UPDATE, DocumentPattern("things/{thing_id}"))
        assert caught.value.code == "unexpected_document"


class TestPattern:
    def test_wildcards(self) -> None:
        pattern = DocumentPattern("tenants/{tenant_id}/{collection}/{document_id}")
        assert pattern.match("tenants/acme/people/p.1") == {
            "tenant_id": "acme",
            "collection": "people",
            "document_id": "p.1",
        }
        assert pattern.match("tenants/acme") is None
        assert pattern.match("tenants/acme/people/p1/notes/n1") is None

    def test_the_rest(self) -> None:
        assert DocumentPattern("a/{rest=**}").match("a/b/c/d") == {"rest": "b/c/d"}

    def test_a_broken_one_is_refused(self) -> None:
        with pytest.raises(ConfigurationError):
            DocumentPattern("a/{b")

    @given(st.lists(st.text(st.characters(exclude_characters="/"), min_size=1), min_size=2, max_size=2))
    def test_any_id_is_found(self, ids: list[str]) -> None:
        found = DocumentPattern("{a}/x.y/{b}").match(f"{ids[0]}/x.y/{ids[1]}")
        assert found == {"a": ids[0], "b": ids[1]}


class TestScheduler:
    def test_the_time_the_run_stands_for(self) -> None:
        run = parse_run(
            {
                "x-cloudscheduler-jobname": "projects/p/locations/l/jobs/hourly",
                "x-cloudscheduler-scheduletime": "2026-01-31T13:00:00.52+01:00",
            },
            "f",
        )
        assert (run.job, run.forced) == ("hourly", False)
        assert run.scheduled_time == datetime(2026, 1, 31, 12, 0, 0, 520_000, tzinfo=UTC)

    def test_by_hand(self) -> None:
        run = parse_run({}, "demo-note-hourly")
        assert (run.job, run.forced) == ("demo-note-hourly", True)
        assert run.scheduled_time.tzinfo is not None


class TestTasks:
    def test_names_are_short(self) -> None:
        task = parse_task(
            {"x-cloudtasks-queuename": "projects/p/queues/q", "x-cloudtasks-taskname": "projects/p/queues/q/tasks/t"}
        )
        assert (task.queue, task.task, task.retry_count, task.execution_count) == ("q", "t", 0, 0)
        assert task.scheduled_time is None

    def test_further_headers_are_kept(self) -> None:
        task = parse_task({"x-cloudtasks-taskname": "t", "x-cloudtasks-taskretryreason": "ERROR"})
        assert task.headers == {"x-cloudtasks-taskretryreason": "ERROR"}

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"x-cloudtasks-taskname": "t", "x-cloudtasks-taskretrycount": "-1"},
            {"x-cloudtasks-taskname": "t", "x-cloudtasks-tasketa": "noon"},
            {"x-cloudtasks-taskname": "t", "x-cloudtasks-tasketa": "inf"},
        ],
    )
    def test_anything_else_is_poison(self, headers: dict[str, str]) -> None:
        with pytest.raises(PoisonEvent):
            parse_task(headers)
