"""Secrets are planted wherever callers can put them, and must be found nowhere: logs, messages, stores, files."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from google.cloud import firestore, pubsub_v1

from common.api_keys import generate_key, key_digest
from common.clients.firestore import firestore_client
from common.clients.redis import redis_client
from common.clients.storage import storage_client
from tests.operations import EVENT_FUNCTIONS, OPERATIONS, PRIVATE
from tests.security.credentials import id_token, invoker_token, signed
from tests.security.world import Holdings, rows_of
from tests.stack import Stack
from triggers.local import resources
from triggers.local.functions import read_manifest, topics

SHOW_ONCE = ("-key-create", "-key-rotate", "tenants-invite-create", "tenants-invite-resend", "tenants-tenant-create")
"""Ends of the names of operations whose answer shows a new secret."""

SAFE_STATUS = (200, 201, 202, 204, 207, 400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 428)


class Spy:
    """Subscriptions to every topic of the cloud."""

    def __init__(self, stack: Stack) -> None:
        self._project = stack.settings.project
        self._publisher, self._subscriber = pubsub_v1.PublisherClient(), pubsub_v1.SubscriberClient()
        self._names = []
        for topic in topics(read_manifest(), resources.domains()):
            name = f"projects/{self._project}/subscriptions/spy-{topic}-{uuid.uuid4().hex[:8]}"
            self._subscriber.create_subscription(name=name, topic=f"projects/{self._project}/topics/{topic}")
            self._names.append(name)

    def seen(self) -> str:
        """Return every message so far, as text, and end the subscriptions."""
        found = []
        for name in self._names:
            while True:
                answer = self._subscriber.pull(subscription=name, max_messages=1000, return_immediately=True)
                if not answer.received_messages:
                    break
                found += [f"{each.message.attributes} {each.message.data!r}" for each in answer.received_messages]
                self._subscriber.acknowledge(
                    subscription=name, ack_ids=[each.ack_id for each in answer.received_messages]
                )
            self._subscriber.delete_subscription(subscription=name)
        return "\n".join(found)

    def close(self) -> None:
        """Close the connections."""
        self._publisher.transport.close()
        self._subscriber.close()


@pytest.fixture
def spy(cloud: Stack) -> Iterator[Spy]:
    """A reader of all messages."""
    watching = Spy(cloud)
    yield watching
    watching.close()


def everything_stored(stack: Stack) -> Iterator[tuple[str, str]]:
    """Yield every document of the project, technical ones included, and every file."""
    yield from stack.documents()
    files = stack.clients.get(storage_client)
    for bucket in (stack.settings.content_bucket, stack.settings.report_bucket):
        yield from ((f"{bucket}/{blob.name}", str(blob.download_as_bytes())) for blob in files.list_blobs(bucket))


def redis_contents(stack: Stack) -> Iterator[tuple[str, str]]:
    client: Any = redis_client(stack.settings)
    for key in client.scan_iter(count=1000):
        kind = client.type(key)
        value = client.dump(key) if kind != b"string" else client.get(key)
        yield str(key), str(value)


def logs(stack: Stack) -> Iterator[tuple[str, str]]:
    folders = {service.log for service in stack.local.services.values()}
    for file in {*folders, *Path(stack.local.folder / "logs").rglob("*")}:
        if file.is_file():
            yield file.name, file.read_text(encoding="utf-8", errors="replace")


def found_in(places: Iterator[tuple[str, str]], secrets: dict[str, str]) -> list[tuple[str, str]]:
    """Return where which secret is, in plain or as base64 has it."""
    wanted = dict(secrets)
    for name, secret in secrets.items():
        wanted[f"{name} in base64"] = base64.b64encode(secret.encode())[:-4].decode()
    return [(place, name) for place, text in places for name, secret in wanted.items() if secret in text]


def test_nothing_secret_is_kept(cloud: Stack, victim: Holdings, attacker: Holdings, spy: Spy) -> None:
    valid = cloud.key(victim.tenant.tenant_id)
    mark = uuid.uuid4().hex
    secrets = {
        "a valid key": valid.key,
        "an unknown key": generate_key(),
        "the operator's key": cloud.local.operator_key,
        "an ID token": id_token(cloud, victim.tenant.tenant_id, sub=f"somebody-{mark}"),
        "an expired ID token": id_token(cloud, victim.tenant.tenant_id, iat=1, exp=2, sub=mark),
        "a signed token": signed(id_token(cloud, victim.tenant.tenant_id), f"signature{mark}"),
        "a password": f"Basic{mark}",
        "a cookie": f"session-{mark}",
        "the cursor key": cloud.settings.cursor_key,
    }
    bodies = list(use(cloud, secrets))
    bodies += list(forge_deliveries(cloud, secrets))
    cloud.settled()
    assert found_in(iter(bodies), secrets) == []
    assert found_in(logs(cloud), secrets) == []
    assert found_in(iter([("messages", spy.seen())]), secrets) == []
    stored = list(everything_stored(cloud))
    assert found_in(iter(stored), secrets) == []
    assert any(key_digest(valid.key) in path for path, _ in stored), "what was looked through has the key's hash"
    assert found_in(redis_contents(cloud), secrets) == []
    for tenant in (victim, attacker):
        assert found_in(iter([("rows", str(rows_of(cloud, tenant.tenant.tenant_id)))]), secrets) == []
    assert any("aso-content-create" in text for _, text in logs(cloud)), "what was looked through has the requests"


def use(cloud: Stack, secrets: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Call every operation with every secret, in each combination of headers in turn; yield the answers."""
    for number, operation in enumerate(OPERATIONS):
        for place, (name, secret) in enumerate(secrets.items()):
            headers = (
                {"Authorization": f"Bearer {secret}"},
                {"Authorization": f"Bearer {secret}", "X-API-Key": secret, "Cookie": f"session={secret}"},
                {"X-API-Key": secret, "Proxy-Authorization": f"Basic {secret}"},
            )[(number + place) % 3]
            answer = operation.send(cloud.url, headers)
            assert answer.status_code in SAFE_STATUS, (operation.name, name, answer.text)
            if not operation.name.endswith(SHOW_ONCE):
                yield operation.name, f"{answer.text} {answer.headers}"
    for operation in PRIVATE:
        answer = operation.send(cloud.url, {"Authorization": secrets["a password"]})
        yield operation.name, answer.text


def forge_deliveries(cloud: Stack, secrets: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Send poison to every event function, with its right token and secrets in other headers."""
    for entry in EVENT_FUNCTIONS:
        token = invoker_token(cloud, entry["name"], sub=f"planted-{uuid.uuid4().hex}")
        secrets[f"the token of {entry['name']}"] = token
        secret = secrets["an unknown key"]
        headers = {
            "Authorization": f"Bearer {token}",
            "X-API-Key": secret,
            "Cookie": f"session={secrets['a cookie']}",
            "Proxy-Authorization": f"Basic {secrets['a password']}",
            "X-Serverless-Authorization": f"Bearer {secrets['a signed token']}",
            "X-Goog-Iap-Jwt-Assertion": secrets["an ID token"],
            "X-Forwarded-Authorization": f"Bearer {secret}",
            "ce-id": uuid.uuid4().hex,
            "Content-Type": "application/json",
        }
        if entry["kind"] == "schedule":
            continue  # nothing in a run of a schedule can be poison
        answer = requests.post(
            f"{cloud.url}/{entry['name']}", data=json.dumps({"poison": 1}), headers=headers, timeout=60
        )
        yield entry["name"], answer.text


SHARED = ("breaker:", "limits:", "key_use", "known_key:")
"""Beginnings of keys that belong to the platform as a whole: no answer and no text of a tenant is in them, ids and
digests of API keys at most."""


def test_every_key_in_redis_carries_its_tenant(cloud: Stack, victim: Holdings, attacker: Holdings) -> None:
    for holdings in (victim, attacker):
        for operation in OPERATIONS:
            if operation.method == "GET" and not operation.is_platform:
                operation.send(cloud.url, holdings.tenant.client.headers, operation.route(holdings.ids))
        held = {"Idempotency-Key": uuid.uuid4().hex}
        holdings.tenant.client.post("/v1/aso/content", {}, headers=held)
    client: Any = redis_client(cloud.settings)
    keys = {key.decode() for key in client.scan_iter(count=1000)}
    tenants = {each["tenant_id"] for each in tenants_of(cloud)} | {"_platform"}
    bare = [key for key in keys if not tenants & set(key.replace("/", ":").split(":"))]
    assert [key for key in bare if not key.startswith(SHARED)] == []
    for holdings in (victim, attacker):
        own = [key for key in keys if holdings.tenant.tenant_id in key]
        assert len(own) >= 5
        assert not [key for key in own if holdings.mark in key]


def tenants_of(cloud: Stack) -> list[dict[str, Any]]:
    client: firestore.Client = cloud.clients.get(firestore_client)
    return [snapshot.to_dict() or {} for snapshot in client.collection("tenants").stream()]
