"""The platform's functions behind queues, schedules and dead-letter topics, through their deployed entry points."""

from __future__ import annotations

import base64
import contextlib
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import Conflict
from google.cloud.firestore_v1.base_query import FieldFilter
from werkzeug.test import Client, TestResponse

from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.clients.storage import storage_client
from common.context import Context
from common.documents import decode
from common.events import Operation
from common.jobs.entities import JOBS
from common.jobs.models import Job
from common.jobs.service import start_job
from common.registry import entities
from common.store import Repository, Work, transact, write_record
from common.warehouse.log import append
from common.warehouse.provision import provision_tenant
from common.warehouse.query import rows
from common.warehouse.rows import row_of
from common.warehouse.source import read_time_now
from common.warehouse.tables import relations
from tests.common.queues import make_queues, tasks_of
from tests.common.warehouse.changes import event, keyword
from tests.common.warehouse.conftest import context_for

Serve = Callable[[str], Client]
Deliver = Callable[..., TestResponse]
KEYWORD = entities()["keyword"]
REDELIVER = "platform-dead-letter-redeliver"
TASK = {"X-CloudTasks-TaskName": "task", "X-CloudTasks-QueueName": "queue"}


@pytest.fixture
def context(clients: Clients) -> Context:
    """A tenant whose tables exist, beside the buckets and queues of the project."""
    make_queues(clients, "platform-reconcile-run", "platform-backfill-run", REDELIVER)
    with contextlib.suppress(Conflict):
        clients.get(storage_client).create_bucket(clients.settings.report_bucket)
    own = context_for(clients, f"t{uuid.uuid4().hex[:10]}")
    clients.get(firestore_client).document(f"tenants/{own.tenant_id}").set(
        {"tenant_id": own.tenant_id, "status": "active"}
    )
    provision_tenant(own, own.tenant_id)
    return own


def of_tenant(context: Context) -> dict[str, str]:
    return {**TASK, "X-Tenant-ID": context.tenant_id}


def jobs_of(context: Context) -> list[Job]:
    query = context.clients.get(firestore_client).collection(JOBS.collection)
    found = query.where(filter=FieldFilter("tenant_id", "==", context.tenant_id)).stream()
    return [decode(Job, snapshot.to_dict()) for snapshot in found]


def appended(context: Context, data: Mapping[str, Any], sequence: int, operation: Operation = "updated") -> None:
    """Put a row into the warehouse that no document stands behind."""
    found = relations(context.clients.settings.project, context.tenant_id, KEYWORD)
    assert append(context, found.log, [row_of(found.table, event(context.tenant_id, data, sequence, operation))]) == {}


def held(context: Context) -> list[str]:
    found = rows(context, "SELECT keyword_id FROM {keywords_latest} ORDER BY keyword_id", {})
    return [row["keyword_id"] for row in found]


def documents(context: Context, numbers: range) -> list[str]:
    """Store keywords past the repository, so that nothing sends them to the warehouse; return their ids."""
    ids = [f"{context.tenant_id}-{number}" for number in numbers]
    for number, key in zip(numbers, ids, strict=True):
        created = datetime(2026, 9, 1, tzinfo=UTC)
        fields = keyword(number, tenant_id=context.tenant_id, schema_version=1, created_at=created)
        stored = {**fields, "keyword_id": key, "last_checked": created}
        context.clients.get(firestore_client).document(f"keywords/{key}").set(stored)
    return ids


def test_the_daily_schedule_reconciles_every_tenant_and_repairs_a_damaged_table(
    context: Context, clients: Clients, deliver: Deliver
) -> None:
    """``platform-reconcile`` and ``platform-reconcile-run``, with the queue between them cut out."""
    neighbour = context_for(clients, f"t{uuid.uuid4().hex[:10]}")
    clients.get(firestore_client).document(f"tenants/{neighbour.tenant_id}").set({"tenant_id": neighbour.tenant_id})
    appended(context, keyword(7), 5)
    assert held(context) == ["keyword-00007"], "a row without a document"
    for _ in range(2):
        assert deliver("platform-reconcile", {}, {"X-CloudScheduler-JobName": "platform-reconcile"}).status_code == 204
    [job], [other] = jobs_of(context), jobs_of(neighbour)
    assert {each.function for each in (job, other)} == {"platform-reconcile-run"}
    for _ in range(2):
        answer = deliver("platform-reconcile-run", {"job_id": str(job.job_id)}, of_tenant(context))
        assert answer.status_code == 204, answer.text
    done = Repository(JOBS, context).get(str(job.job_id)).value
    assert (done.status, done.attempts) == ("succeeded", 1), "the second delivery found nothing to do"
    assert done.result is not None
    assert done.result["entities"]["keyword"]["repaired"] == 1
    assert held(context) == []
    assert Repository(JOBS, neighbour).get(str(other.job_id)).value.status == "queued", "each tenant has its own task"


def test_a_backfill_goes_on_behind_its_checkpoint(context: Context, deliver: Deliver) -> None:
    ids = documents(context, range(10, 20))
    after = f"keywords/{ids[5]}"
    checkpoint = {"after": after, "done": 6, "refused": 0, "read_time": read_time_now(context)}

    def begin(work: Work) -> Job:
        return start_job(work, type="backfill", function="platform-backfill-run", parameters={"entity": "keyword"})

    job = transact(context, begin)

    def stop(work: Work) -> Job:
        record = work.get(JOBS, str(job.job_id))
        stopped = {"status": "running", "checkpoint": checkpoint}
        return work.update(JOBS, record, record.value.model_copy(update=stopped))

    write_record(context, stop)
    answer = deliver("platform-backfill-run", {"job_id": str(job.job_id)}, of_tenant(context))
    assert answer.status_code == 204, answer.text
    done = Repository(JOBS, context).get(str(job.job_id)).value
    assert (done.status, done.result) == (
        "succeeded",
        {"documents": 10, "appended": 10, "refused": 0, "reads": 10},
    )
    assert held(context) == ids[6:], "what the run before had done is not done again"


def letters(serve: Serve, operator: Mapping[str, str], function: str) -> list[dict[str, Any]]:
    answer = serve("dead_letter_list").get(f"/v1/platform/dead-letters?function={function}", headers=dict(operator))
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.get_json()["items"]
    return items


def test_a_message_that_exhausted_its_attempts_is_stored_and_listed(
    serve: Serve, operator: dict[str, str], deliver: Deliver
) -> None:
    """``platform-dead-letter-store`` gets what a dead-letter topic pushes."""
    body = b"\x00 bytes that no consumer took"
    source = "CloudPubSubDeadLetterSource"
    message = {
        "data": base64.b64encode(body).decode(),
        "attributes": {f"{source}Subscription": "aso-some-consumer", f"{source}DeliveryCount": "5", "colour": "red"},
        "messageId": "m-1",
        "publishTime": "2026-09-01T08:00:00.000Z",
    }
    pushed = {"message": message, "subscription": "projects/p/subscriptions/platform-dead-letter-store.x"}
    for _ in range(2):
        answer = deliver("platform-dead-letter-store", pushed)
        assert answer.status_code == 204, answer.text
    [letter] = letters(serve, operator, "aso-some-consumer")
    assert (letter["code"], letter["attempts"], letter["size"]) == ("attempts_exhausted", 5, len(body))
    assert (letter["status"], letter["failures"], letter["message_id"]) == ("pending", 2, "m-1")
    assert letter["attributes"]["colour"] == "red"


@pytest.mark.parametrize("function", ["platform-relay-shared", "platform-relay-tenant"])
def test_many_dead_letters_are_replayed_by_a_task_each(
    function: str, serve: Serve, operator: dict[str, str], deliver: Deliver, context: Context
) -> None:
    """A poison document change is posted again to the function that set it aside."""
    before = {task.name for task in tasks_of(context.clients, REDELIVER)}

    def new_tasks() -> list[Any]:
        return [task for task in tasks_of(context.clients, REDELIVER) if task.name not in before]

    poison = {
        "ce-id": uuid.uuid4().hex,
        "ce-type": "google.cloud.firestore.document.v1.written",
        "ce-source": "//firestore.googleapis.com/projects/p/databases/(default)",
        "ce-time": (datetime.now(UTC) - timedelta(hours=1)).isoformat(),
        "ce-specversion": "1.0",
    }
    answer = deliver(function, {"no": "document"}, poison)
    assert answer.status_code == 204, answer.text
    [letter] = letters(serve, operator, function)
    assert (letter["kind"], letter["replays"]) == ("document", 0)
    path = "/v1/platform/dead-letters/replay"
    many = serve("dead_letter_replay_many").post(path, json={"function": function}, headers=operator)
    assert (many.status_code, many.get_json()["scheduled"]) == (202, [letter["id"]])
    [task] = new_tasks()
    assert deliver(REDELIVER, {"dead_letter_id": letter["id"]}, TASK).status_code == 204
    [posted] = [each for each in new_tasks() if each.name != task.name]
    assert posted.http_request.url.endswith(f"/{function}")
    assert posted.http_request.body == b'{"no": "document"}'
    assert posted.http_request.headers["ce-id"] == poison["ce-id"]
    [replayed] = letters(serve, operator, function)
    assert (replayed["status"], replayed["replays"]) == ("replayed", 1)
    unknown = deliver(REDELIVER, {"dead_letter_id": "f" * 64}, TASK)
    assert unknown.status_code == 204, "one that is gone is not tried again and again"
