"""Deliveries, through the framework's app, with raw requests of the shapes Google documents."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from google.api_core import exceptions
from google.events.cloud.firestore_v1 import DocumentEventData

from common.api_keys import credentials_cache
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import PLATFORM_TENANT
from common.events import Envelope
from common.identifiers import digest
from common.technical import HELD_TASKS
from tests.common.faults import faulty
from tests.triggers.serving import Function

Load = Callable[[str], Function]
DEAD_LETTERS = "system/dead_letters/messages"


def push(data: bytes | None, **message: Any) -> dict[str, Any]:
    """Return a wrapped push body."""
    inner: dict[str, Any] = {"messageId": "2070443601311540", "message_id": "2070443601311540", **message}
    if data is not None:
        inner["data"] = base64.b64encode(data).decode()
    return {"message": inner, "subscription": "projects/demo/subscriptions/demo-note-heard"}


def envelope(**changes: Any) -> dict[str, Any]:
    """Return a domain event as JSON."""
    event = Envelope.model_validate(
        {
            "event_type": "note-created",
            "event_id": uuid.uuid4(),
            "timestamp": datetime(2026, 1, 31, 12, tzinfo=UTC),
            "tenant_id": "acme",
            "source_service": "demo",
            "schema_version": 1,
            "payload": {
                "entity": "note",
                "document": "notes/1",
                "document_id": "1",
                "operation": "created",
                "sequence": 1,
                "data": {"name": "x"},
            },
            "metadata": {
                "correlation_id": "req-1",
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            },
        }
    )
    return {**event.model_dump(mode="json"), **changes}


class TestIdentity:
    def test_nobody_else_may_deliver(self, function: Load) -> None:
        heard = function("note_heard")
        assert heard.client.post("/", json=push(b"x")).status_code == 401
        assert heard.deliver(json.dumps(push(b"x")), identity="someone@else").status_code == 403

    def test_the_identity_of_another_function_may_not(self, function: Load, process: Clients) -> None:
        other = process.settings.invoker.replace("{function}", "demo-note-task")
        assert function("note_heard").deliver(json.dumps(push(b"x")), identity=other).status_code == 403

    def test_deliveries_are_posted(self, function: Load) -> None:
        assert function("note_heard").client.get("/").status_code == 405


class TestMessages:
    def test_a_wrapped_message_arrives_whole(self, function: Load) -> None:
        heard = function("note_heard")
        answer = heard.deliver_json(
            {
                **push(b"hello", attributes={"tenant_id": "acme", "correlation_id": "req-9"}, orderingKey="notes/1"),
                "deliveryAttempt": 3,
            }
        )
        assert (answer.status_code, answer.data) == (204, b"")
        message, context = heard.module.HEARD[-1]
        assert message.data == b"hello"
        assert message.ordering_key == "notes/1"
        assert message.delivery_attempt == 3
        assert message.subscription == "projects/demo/subscriptions/demo-note-heard"
        assert (context.tenant_id, context.correlation_id) == ("acme", "req-9")
        assert context.principal.kind == "service"
        assert context.function == "demo-note-heard"

    def test_a_message_without_data_is_a_message(self, function: Load) -> None:
        heard = function("note_heard")
        assert heard.deliver_json(push(None, attributes={"a": "b"})).status_code == 204
        message, context = heard.module.HEARD[-1]
        assert (message.data, message.attributes) == (b"", {"a": "b"})
        assert context.tenant_id == PLATFORM_TENANT

    @pytest.mark.parametrize(("data", "status"), [(b"unavailable", 503), (b"crash", 500)])
    def test_a_failure_is_delivered_again(self, function: Load, data: bytes, status: int) -> None:
        assert function("note_heard").deliver_json(push(data)).status_code == status

    def test_the_log_line_tells_event_and_attempt(
        self, function: Load, logged: Callable[[], list[dict[str, Any]]]
    ) -> None:
        logged()
        function("note_heard").deliver_json({**push(b"x"), "deliveryAttempt": 2})
        line = logged()[-1]
        assert (line["event_id"], line["attempt"], line["status"]) == ("2070443601311540", 2, 204)


class TestDomainEvents:
    def test_the_context_is_that_of_the_event(self, function: Load) -> None:
        heard = function("note_event")
        event = envelope()
        assert heard.deliver_json(push(json.dumps(event).encode())).status_code == 204
        received, context = heard.module.HEARD[-1]
        assert str(received.event_id) == event["event_id"]
        assert context.tenant_id == "acme"
        assert context.correlation_id == "req-1"
        assert context.causation_id == event["event_id"]
        assert context.trace.trace_id == "0af7651916cd43dd8448eb211c80319c"
        assert context.trace.sampled


class TestChanges:
    def test_a_change_arrives_with_its_wildcards(self, function: Load) -> None:
        name = "projects/demo/databases/(default)/documents/tenants/acme/notes/n1"
        data = DocumentEventData(value={"name": name, "fields": {"size": {"integer_value": 3}}})
        heard = function("note_changed")
        answer = heard.deliver(
            DocumentEventData.serialize(data),
            {
                "Content-Type": "application/protobuf",
                "ce-specversion": "1.0",
                "ce-id": "e-1",
                "ce-type": "google.cloud.firestore.document.v1.created",
                "ce-source": "//firestore.googleapis.com/projects/demo/databases/(default)",
                "ce-subject": "documents/tenants/acme/notes/n1",
                "ce-time": "2026-01-31T12:00:00.123456Z",
                "ce-document": "tenants/acme/notes/n1",
            },
        )
        assert answer.status_code == 204
        change, context = heard.module.HEARD[-1]
        assert change.parameters == {"tenant_id": "acme", "note_id": "n1"}
        assert change.before is None
        assert change.after.fields == {"size": 3}
        assert context.tenant_id == PLATFORM_TENANT
        assert context.causation_id == "e-1"

    @pytest.mark.parametrize(("version", "known"), [("value", True), ("old_value", False)])
    def test_it_belongs_to_the_chain_of_the_request_that_wrote_it(
        self, function: Load, logged: Callable[[], list[dict[str, Any]]], version: str, known: bool
    ) -> None:
        """A deletion carries the version before, whose writer is somebody else."""
        name = "projects/demo/databases/(default)/documents/tenants/acme/notes/n1"
        trace_id = "0af7651916cd43dd8448eb211c80319c"
        said = {
            "correlation_id": {"string_value": "req-7"},
            "traceparent": {"string_value": f"00-{trace_id}-b7ad6b7169203331-01"},
            "causation_id": {"null_value": None},
        }
        document = {"name": name, "fields": {"_meta": {"map_value": {"fields": said}}}}
        logged()
        headers = {
            "Content-Type": "application/protobuf",
            "ce-specversion": "1.0",
            "ce-id": "e-2",
            "ce-type": "google.cloud.firestore.document.v1.written",
            "ce-source": "//firestore.googleapis.com/projects/demo/databases/(default)",
        }
        heard = function("note_changed")
        data = DocumentEventData.serialize(DocumentEventData(**{version: document}))
        assert heard.deliver(data, headers).status_code == 204
        _, context = heard.module.HEARD[-1]
        assert (context.correlation_id == "req-7", context.trace.trace_id == trace_id) == (known, known)
        line = logged()[-1]
        assert line["correlation_id"] == context.correlation_id
        assert line["logging.googleapis.com/trace"].endswith(context.trace.trace_id)


class TestRuns:
    def test_a_scheduled_run_and_one_by_hand(self, function: Load) -> None:
        hourly = function("note_hourly")
        headers = {"X-CloudScheduler": "true", "X-CloudScheduler-JobName": "demo-note-hourly"}
        scheduled = {**headers, "X-CloudScheduler-ScheduleTime": "2026-01-31T12:00:00Z"}
        assert hourly.deliver("", scheduled).status_code == 204
        assert hourly.deliver("", headers).status_code == 204
        (first, _), (second, _) = hourly.module.HEARD[-2:]
        assert (first.job, first.forced) == ("demo-note-hourly", False)
        assert first.scheduled_time == datetime(2026, 1, 31, 12, tzinfo=UTC)
        assert second.forced


class TestTenantsThatDoNoWork:
    """A task of a tenant that rests is put aside; what is for one that is gone ends with it."""

    TASK = {"X-CloudTasks-QueueName": "demo-note-task", "X-Tenant-ID": "resting"}  # noqa: RUF012

    @staticmethod
    def become(process: Clients, status: str) -> None:
        client = process.get(firestore_client)
        client.document("tenants/resting").set({"tenant_id": "resting", "status": status})
        process.get(credentials_cache).tenants.forget("resting")

    @pytest.mark.parametrize(
        ("status", "arrives", "kept"),
        [
            ("active", True, False),
            ("suspended", False, True),
            ("deletion_scheduled", False, True),
            ("erasing", False, False),
            ("deleted", False, False),
        ],
    )
    def test_a_task(self, function: Load, process: Clients, status: str, *, arrives: bool, kept: bool) -> None:
        task, name = function("note_task"), uuid.uuid4().hex
        self.become(process, status)
        heard = len(task.module.HEARD)
        answer = task.deliver_json({"number": 8}, {**self.TASK, "X-CloudTasks-TaskName": name})
        assert answer.status_code == 204
        assert (len(task.module.HEARD) > heard) is arrives
        held = process.get(firestore_client).document(f"{HELD_TASKS.path}/{digest('demo-note-task', name)}").get()
        assert held.exists is kept
        if kept:
            assert json.loads(held.get("content")) == {"number": 8}

    @pytest.mark.parametrize(("status", "arrives"), [("suspended", True), ("erasing", False), ("deleted", False)])
    def test_a_message(self, function: Load, process: Clients, status: str, *, arrives: bool) -> None:
        heard = function("note_event")
        self.become(process, status)
        before = len(heard.module.HEARD)
        event = json.dumps(envelope(tenant_id="resting")).encode()
        assert heard.deliver_json(push(event)).status_code == 204
        assert (len(heard.module.HEARD) > before) is arrives


class TestTasks:
    def test_a_task_arrives_with_its_body_and_circumstances(self, function: Load) -> None:
        task = function("note_task")
        answer = task.deliver_json(
            {"number": 7},
            {
                "X-CloudTasks-QueueName": "demo-note-task",
                "X-CloudTasks-TaskName": "job-1",
                "X-CloudTasks-TaskRetryCount": "2",
                "X-CloudTasks-TaskExecutionCount": "1",
                "X-CloudTasks-TaskETA": "1769860800.5",
                "X-CloudTasks-TaskPreviousResponse": "503",
                "X-Tenant-ID": "acme",
                "X-Correlation-ID": "req-5",
            },
        )
        assert answer.status_code == 204
        body, delivery, context = task.module.HEARD[-1]
        assert body.number == 7
        assert (delivery.queue, delivery.task, delivery.retry_count) == ("demo-note-task", "job-1", 2)
        assert delivery.previous_response == 503
        assert delivery.scheduled_time == datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)
        assert (context.tenant_id, context.correlation_id) == ("acme", "req-5")


class TestPoison:
    """What can never be done is kept with its bytes and reason, and answered 204 so that it blocks nothing."""

    @staticmethod
    def letters(process: Clients) -> list[dict[str, Any]]:
        found = process.get(firestore_client).collection(DEAD_LETTERS).stream()
        return [{"id": letter.id, **letter.to_dict()} for letter in found]

    def test_a_message_is_set_aside_and_the_next_one_goes_on(self, function: Load, process: Clients) -> None:
        heard = function("note_heard")
        message_id = uuid.uuid4().hex
        assert heard.deliver_json(push(b"poison", messageId=message_id, message_id=message_id)).status_code == 204
        assert heard.deliver_json(push(b"after it")).status_code == 204
        assert heard.module.HEARD[-1][0].data == b"after it"
        letter = next(letter for letter in self.letters(process) if message_id in str(letter))
        assert letter["function"] == "demo-note-heard"
        assert (letter["code"], letter["reason"]) == ("never", "can never be done")

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"not JSON", "invalid_envelope"),
            (b"{}", "invalid_envelope"),
            (json.dumps(envelope(event_id="no id")).encode(), "invalid_envelope"),
            (json.dumps(envelope(tenant_id="../acme")).encode(), "invalid_tenant"),
        ],
    )
    def test_what_is_no_domain_event(self, function: Load, process: Clients, data: bytes, code: str) -> None:
        heard = function("note_event")
        before = len(heard.module.HEARD)
        known = {letter["id"] for letter in self.letters(process)}
        message_id = uuid.uuid4().hex
        assert heard.deliver_json(push(data, messageId=message_id, message_id=message_id)).status_code == 204
        [letter] = [letter for letter in self.letters(process) if letter["id"] not in known]
        assert (letter["function"], letter["code"], letter["data"]) == ("demo-note-event", code, data)
        assert len(heard.module.HEARD) == before

    def test_an_event_of_a_newer_producer_is_read(self, function: Load) -> None:
        heard = function("note_event")
        event = envelope(added_later=1)
        assert heard.deliver_json(push(json.dumps(event).encode())).status_code == 204
        assert str(heard.module.HEARD[-1][0].event_id) == event["event_id"]

    def test_bytes_that_are_no_delivery_at_all(self, function: Load, process: Clients) -> None:
        before = len(self.letters(process))
        assert function("note_heard").deliver(b"\xff\xfe" + uuid.uuid4().bytes).status_code == 204
        assert len(self.letters(process)) == before + 1

    def test_a_change_and_a_task(self, function: Load, process: Clients) -> None:
        change, task = uuid.uuid4().hex, uuid.uuid4().hex
        headers = {"ce-id": change, "ce-type": "google.cloud.firestore.document.v1.written"}
        protobuf = {"Content-Type": "application/protobuf", **headers}
        assert function("note_changed").deliver(b"\xff\xff", protobuf).status_code == 204
        tasks = {"X-CloudTasks-TaskName": task, "X-CloudTasks-QueueName": "demo-note-task"}
        assert function("note_task").deliver_json({"number": "seven"}, tasks).status_code == 204
        letters = self.letters(process)
        kept = {letter["function"]: letter for letter in letters if change in str(letter) or task in str(letter)}
        assert kept["demo-note-changed"]["code"] == "malformed_delivery"
        assert kept["demo-note-task"]["code"] == "invalid_task_body"

    def test_no_credential_is_kept(self, function: Load, process: Clients) -> None:
        function("note_heard").deliver(uuid.uuid4().bytes)
        assert "Bearer" not in str(self.letters(process))

    def test_what_cannot_be_set_aside_is_delivered_again(self, function: Load, process: Clients) -> None:
        real = process.get(firestore_client)
        others, transport = faulty(process)
        process.replace(firestore_client, others.get(firestore_client))
        message_id = uuid.uuid4().hex
        try:
            transport.before = unavailable
            delivery = push(b"poison", messageId=message_id, message_id=message_id)
            assert function("note_heard").deliver_json(delivery).status_code == 503
            assert message_id not in str(self.letters(process))
            assert function("note_heard").deliver_json(delivery).status_code == 204
            assert message_id in str(self.letters(process))
        finally:
            process.replace(firestore_client, real)


def unavailable() -> None:
    raise exceptions.ServiceUnavailable("Firestore is away")
