"""Linked accounts over HTTP, on the local cloud: linked, shown, renewed, unlinked, and their tokens nowhere to be seen.

Functions: tenants-account-link, tenants-account-callback, tenants-account-list, tenants-account-get,
tenants-account-unlink, tenants-account-forget, tenants-account-token-revoke.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from google.cloud import pubsub_v1
from google.cloud.firestore_v1.base_query import FieldFilter

from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context, Deadline, Principal
from common.errors import Conflict
from common.tenants.accounts import tokens
from tests.oauth import PLANTED, OAuthServer, Person
from tests.people import PersonHandle, member
from tests.stack import Stack, TenantHandle

MAIL = "https://www.googleapis.com/auth/gmail.readonly"


@pytest.fixture(scope="module")
def home(cloud: Stack) -> TenantHandle:
    """A tenant with room for accounts."""
    return cloud.tenant()


@pytest.fixture(scope="module")
def ann(cloud: Stack, home: TenantHandle) -> PersonHandle:
    """A person without any special role."""
    return member(cloud, home.tenant_id, role="user")


def told(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def came_back(cloud: Stack, server: OAuthServer, who: PersonHandle, person: Person, **body: Any) -> requests.Response:
    """Begin a link, consent, and come back as a browser does: without any credential."""
    begun = who.client.post("/v1/accounts/link", {"provider": "google", **body})
    assert begun.status_code == 201, begun.text
    location = server.visit(begun.json()["authorization_url"], person)
    assert location.startswith(f"{cloud.url}/tenants-account-callback?")
    return requests.get(location, allow_redirects=False, timeout=60)


def linked(cloud: Stack, server: OAuthServer, who: PersonHandle, person: Person) -> str:
    answer = came_back(cloud, server, who, person)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["account_id"])


def at_work(cloud: Stack, server: OAuthServer, tenant_id: str) -> Context:
    """Return the circumstances of a function that works in a person's name."""
    settings = dataclasses.replace(cloud.settings, oauth_clients=server.clients(), fetch_loopback=True)
    return Context(
        function="test",
        tenant_id=tenant_id,
        principal=Principal(kind="service", id="test", tenant_id=tenant_id, role="service"),
        clients=Clients(settings),
        deadline=Deadline.after(600),
    )


def log_of(cloud: Stack) -> str:
    """Return everything that the local cloud has logged."""
    files = [file for file in Path(cloud.local.folder / "logs").rglob("*") if file.is_file()]
    return "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)


@pytest.fixture
def events(cloud: Stack) -> Iterator[list[dict[str, Any]]]:
    """The domain's events from now on; filled when the test asks by calling ``pull``."""
    client = pubsub_v1.SubscriberClient()
    project = cloud.settings.project
    name = f"projects/{project}/subscriptions/accounts-{datetime.now(UTC).timestamp():.0f}"
    client.create_subscription(name=name, topic=f"projects/{project}/topics/tenants-events")

    class Events(list[dict[str, Any]]):
        def pull(self) -> list[dict[str, Any]]:
            while found := client.pull(subscription=name, max_messages=500, return_immediately=True).received_messages:
                self.extend(json.loads(each.message.data) for each in found)
                client.acknowledge(subscription=name, ack_ids=[each.ack_id for each in found])
            return self

    yield Events()
    client.delete_subscription(subscription=name)
    client.close()


def test_an_account_lives_and_its_tokens_are_nowhere_in_the_clear(
    cloud: Stack, oauth_provider: OAuthServer, home: TenantHandle, ann: PersonHandle, events: Any
) -> None:
    person = oauth_provider.person()
    answer = came_back(cloud, oauth_provider, ann, person, scopes=[MAIL])
    assert answer.status_code == 200, answer.text
    account = answer.json()
    path = f"/v1/accounts/{account['account_id']}"
    shown = ann.client.get(path)
    assert shown.headers["ETag"]
    assert (shown.json(), shown.json()["user_id"]) == (account, ann.user_id)
    work = at_work(cloud, oauth_provider, home.tenant_id)
    assert tokens.access_token(work, account["account_id"]).text == person.access[-1]

    # The provider ends a token early and then the consent: the person is told once, however many ask.
    tokens.access_token(work, account["account_id"], rejected=person.access[-1])
    person.ends_consent()
    for _ in range(2):
        with pytest.raises(Conflict, match="again"):
            tokens.access_token(work, account["account_id"], rejected=person.access[-1])
    again = came_back(cloud, oauth_provider, ann, person).json()
    assert (again["account_id"], again["status"]) == (account["account_id"], "active")
    assert ann.client.delete(path).status_code == 204
    assert told(ann.client.get(path)) == (404, "account_not_found")
    assert told(ann.client.delete(path)) == (404, "account_not_found")
    assert person.revoked
    cloud.settled()

    mine = [each for each in events.pull() if each["payload"]["document_id"] == account["account_id"]]
    of_account = [each for each in mine if each["payload"]["entity"] == "account"]
    kinds = ["account-linked", "account-reauth-required", "account-relinked", "account-unlinked"]
    assert [each["event_type"] for each in sorted(of_account, key=lambda each: each["payload"]["sequence"])] == kinds
    assert of_account[0]["metadata"]["actor"] == f"user:{ann.user_id}"
    assert PLANTED not in json.dumps(events)
    assert "xe1." not in json.dumps(mine), "not even sealed"
    assert answer.text.count(PLANTED) == 0
    stored = list(cloud.documents())
    assert any(path.startswith("system/crypto/data_keys/") for path, _ in stored), "all of it was looked through"
    assert [path for path, text in stored if PLANTED in text] == []
    logged = log_of(cloud)
    assert "tenants-account-callback" in logged
    assert PLANTED not in logged


def test_a_replayed_state_is_refused_and_audited(
    cloud: Stack, oauth_provider: OAuthServer, home: TenantHandle, ann: PersonHandle
) -> None:
    begun = ann.client.post("/v1/accounts/link", {"provider": "google"}).json()
    location = oauth_provider.visit(begun["authorization_url"], oauth_provider.person())
    first, second = (requests.get(location, timeout=60) for _ in range(2))
    assert first.status_code == 200, first.text
    assert told(second) == (409, "state_used")
    unknown = cloud.anonymous.get("/v1/accounts/callback?state=never-begun&code=x")
    assert told(unknown) == (400, "state_unknown")
    denied = came_back(cloud, oauth_provider, ann, oauth_provider.person(declines="access_denied"))
    assert told(denied) == (403, "access_denied")
    recorded = cloud.clients.get(firestore_client).collection("security_events")
    found = [each.to_dict() for each in recorded.where(filter=FieldFilter("tenant_id", "==", home.tenant_id)).stream()]
    assert [each["code"] for each in found if each["code"].startswith("state_")] == ["state_used"]


def test_people_see_their_own_accounts_and_administrators_all(
    cloud: Stack, oauth_provider: OAuthServer, home: TenantHandle, ann: PersonHandle
) -> None:
    bob, admin = member(cloud, home.tenant_id, role="manager"), member(cloud, home.tenant_id)
    viewer, stranger = member(cloud, home.tenant_id, role="viewer"), member(cloud, cloud.tenant().tenant_id)
    account_id = linked(cloud, oauth_provider, ann, oauth_provider.person())
    path = f"/v1/accounts/{account_id}"

    def ids(answer: requests.Response) -> set[str]:
        assert answer.status_code == 200, answer.text
        return {item["account_id"] for item in answer.json()["items"]}

    assert account_id in ids(ann.client.get("/v1/accounts"))
    assert account_id in ids(admin.client.get(f"/v1/accounts?user_id={ann.user_id}&status=active"))
    assert account_id in ids(home.client.get("/v1/accounts?limit=200"))
    assert ids(bob.client.get("/v1/accounts")) == set()
    assert ids(stranger.client.get(f"/v1/accounts?user_id={ann.user_id}")) == set()
    assert told(bob.client.get(f"/v1/accounts?user_id={ann.user_id}")) == (403, "not_your_accounts")
    assert told(viewer.client.get("/v1/accounts")) == (403, "role_missing")
    assert admin.client.get(path).status_code == 200
    for other in (bob, stranger):
        assert told(other.client.get(path)) == (404, "account_not_found")
        assert told(other.client.delete(path)) == (404, "account_not_found")
    assert told(home.client.post("/v1/accounts/link", {"provider": "google"})) == (403, "person_only")
    assert told(bob.client.post("/v1/accounts/link", {"provider": "myspace"})) == (422, "validation_failed")
    assert admin.client.delete(path).status_code == 204


def test_whoever_leaves_leaves_no_tokens_behind(cloud: Stack, oauth_provider: OAuthServer, home: TenantHandle) -> None:
    """Tokens are given back although the provider refuses at first, and whoever deletes the documents."""
    leaving, person = member(cloud, home.tenant_id, role="user"), oauth_provider.person()
    account_id = linked(cloud, oauth_provider, leaving, person)
    client = cloud.clients.get(firestore_client)
    client.document(f"users/{leaving.user_id}").delete()
    cloud.wait_for(lambda: not client.document(f"accounts/{account_id}").get().exists, what="the account is gone")
    assert not client.document(f"account_tokens/{account_id}").get().exists
    assert person.revoked
    cloud.wait_for(lambda: "tenants-account-forget" in log_of(cloud))

    erased, other = member(cloud, home.tenant_id, role="user"), oauth_provider.person()
    account_id = linked(cloud, oauth_provider, erased, other)
    client.document(f"account_tokens/{account_id}").delete()
    cloud.wait_for(lambda: other.revoked, what="the token is given back")
    cloud.wait_for(lambda: "tenants-account-token-revoke" in log_of(cloud))

    stubborn = oauth_provider.person(revocation=503)
    account_id = linked(cloud, oauth_provider, erased, stubborn)
    assert erased.client.delete(f"/v1/accounts/{account_id}").status_code == 204
    assert not client.document(f"account_tokens/{account_id}").get().exists, "deleted whatever the provider answers"
    stubborn.revocation = None
    cloud.wait_for(lambda: stubborn.revoked, deadline=60, what="it is tried again")


def test_accounts_are_held_to_the_quota(cloud: Stack, oauth_provider: OAuthServer) -> None:
    tenant = cloud.post("/v1/tenants", {"name": "Small", "tier": "free"}).json()["tenant_id"]
    cloud.wait_for(lambda: cloud.get(f"/v1/tenants/{tenant}").json()["status"] == "active")
    person = member(cloud, tenant)
    for _ in range(2):
        linked(cloud, oauth_provider, person, oauth_provider.person())
    refused = came_back(cloud, oauth_provider, person, oauth_provider.person())
    assert told(refused) == (403, "quota_exceeded")
    assert (refused.json()["resource"], refused.json()["limit"]) == ("accounts", 2)
