"""A function does what it declared and nothing else, also where no cloud is there to refuse it."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable

import pytest
from google.api_core.exceptions import PermissionDenied
from google.cloud import firestore
from werkzeug.test import Client

from common.clients.bigquery import bigquery_client
from common.clients.firestore import firestore_client
from common.clients.identity import identity_provider
from common.clients.pubsub import publisher_client
from common.clients.redis import redis_client
from common.clients.registry import Clients
from common.clients.signing import account_signer
from common.clients.storage import storage_client
from common.clients.tasks import tasks_client
from common.context import Deadline
from common.crypto.wrapping import key_encryption
from common.publish import publish
from common.settings import Settings
from common.transaction import Transaction
from tests.common.queues import make_queues
from tests.common.security import store_key
from triggers.local.functions import read_manifest
from triggers.local.host import permitted
from triggers.local.permitted import Permitted
from triggers.manifest import load_manifest


def allowed(clients: Clients, *needs: str) -> Permitted:
    return Permitted(clients, "tests-function", needs)


CLIENTS: list[tuple[Callable[[Settings], object], str]] = [
    (bigquery_client, "bigquery:read"),
    (firestore_client, "firestore:read"),
    (identity_provider, "firebase:administer"),
    (key_encryption, "kms:use"),
    (storage_client, "storage:read"),
    (publisher_client, "pubsub:publish:aso-events"),
    (tasks_client, "tasks:enqueue:aso-export-run"),
]


@pytest.mark.parametrize(("factory", "permission"), CLIENTS)
def test_a_client_is_there_for_who_declared_it(
    clients: Clients, factory: Callable[[Settings], object], permission: str
) -> None:
    assert allowed(clients, permission).get(factory) is not None


# At home nothing signs as an account, so that there is no such client to be had.
@pytest.mark.parametrize(("factory", "permission"), [*CLIENTS, (account_signer, "storage:sign")])
def test_a_client_is_refused_to_who_declared_everything_else(
    clients: Clients, factory: Callable[[Settings], object], permission: str
) -> None:
    kind = permission.partition(":")[0]
    others = {need for entry in load_manifest() for need in entry["needs"] if not need.startswith(f"{kind}:")}
    with pytest.raises(PermissionDenied, match=f"tests-function does not declare {kind}:"):
        allowed(clients, *others).get(factory)


def test_who_reads_only_writes_nothing(clients: Clients) -> None:
    path = f"things/{uuid.uuid4().hex}"
    writer, reader = (allowed(clients, *needs) for needs in (("firestore:write",), ("firestore:read",)))
    writer.get(firestore_client).document(path).set({"n": 1})
    found: firestore.Client = reader.get(firestore_client)
    assert found.document(path).get().to_dict() == {"n": 1}
    transaction = Transaction(found, Deadline.after(10))
    assert found.document(path).get(transaction=transaction.handle).exists
    transaction.commit([])
    with pytest.raises(PermissionDenied, match="firestore:write"):
        found.document(path).set({"n": 2})
    with pytest.raises(PermissionDenied, match="firestore:write"):
        Transaction(found, Deadline.after(10)).commit([lambda batch: batch.delete(found.document(path))])
    bulk = found.bulk_writer()
    bulk.delete(found.document(path))
    bulk.flush()
    assert found.document(path).get().to_dict() == {"n": 1}


def test_tasks_are_made_for_the_functions_declared(clients: Clients) -> None:
    make_queues(clients, "tests-one", "tests-other")
    queues = allowed(clients, "tasks:enqueue:tests-one").get(tasks_client)
    place = queues.queue_path(clients.settings.project, clients.settings.region, "tests-one")
    task = {"http_request": {"url": "http://127.0.0.1:9/"}}
    assert queues.create_task(request={"parent": place, "task": task}).name.startswith(place)
    with pytest.raises(PermissionDenied, match="tests-function does not declare tasks:enqueue:tests-other"):
        queues.create_task(request={"parent": place.replace("tests-one", "tests-other"), "task": task})


def test_messages_are_published_to_the_topics_declared(clients: Clients) -> None:
    own = allowed(clients, "pubsub:publish:tests-events")
    publisher = clients.get(publisher_client)
    for name in ("tests-events", "others-events"):
        publisher.create_topic(name=publisher.topic_path(clients.settings.project, name))
    assert publish(own, "tests-events", b"{}", {}, ordering_key="", timeout=10)
    with pytest.raises(PermissionDenied, match="tests-function does not declare pubsub:publish:others-events"):
        publish(own, "others-events", b"{}", {}, ordering_key="", timeout=10)


def test_who_does_not_ask_for_redis_goes_without(clients: Clients) -> None:
    assert allowed(clients, "redis:use").get(redis_client) is not None
    assert allowed(clients).get(redis_client) is None


def test_a_function_that_forgot_a_permission_fails_at_home(
    clients: Clients, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """The local cloud serves every function so; the end of the test run looks for such lines in its log."""
    [health] = [each for each in read_manifest() if each.name == "platform-service-status"]
    forgetful = dataclasses.replace(health, declaration=dataclasses.replace(health.declaration, needs={}))
    key = store_key(clients, role="admin", scopes=("*",))
    answer = Client(permitted(forgetful, clients)).get("/", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.get_json()["code"]) == (500, "internal_error")
    assert f"{forgetful.name} does not declare firestore:*" in caplog.text + "".join(capsys.readouterr())
