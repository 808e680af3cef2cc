"""Accounts at the identity provider follow people's documents, whatever order events come in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.clients.firestore import firestore_client
from common.clients.identity import Account, IdentityProvider, Owner, identity_provider
from common.clients.registry import Clients
from common.context import Context
from common.errors import Unavailable
from common.settings import Settings
from common.tenants.people.claims import LOOKS, follow
from common.tenants.people.entities import FEATURE_FLAGS, INVITES, USERS
from tests.common.security import context_of, store_person
from triggers.local.accounts import Accounts
from triggers.local.accounts_server import AccountsServer
from triggers.manifest import load_manifest


class Home:
    """A provider with one account, and its person.

    Attributes:
        context: Circumstances of a delivery.
        writes: Number of updates that reached the provider.
    """

    def __init__(self, settings: Settings, server: AccountsServer, accounts: Accounts) -> None:
        self.clients = Clients(replace(settings, identity_url=server.toolkit))
        self.context: Context = context_of(self.clients)
        made = accounts.call("accounts", {"email": f"{id(self)}@example.com", "emailVerified": True}, is_owner=True)
        self.user_id = str(made["localId"])
        self.writes = 0
        self.before_write: Callable[[], None] = lambda: None
        home = self

        class Watched(IdentityProvider):
            def update(self, context: Context, user_id: str, **changes: Any) -> bool:
                before, home.before_write = home.before_write, lambda: None
                before()
                home.writes += 1
                return super().update(context, user_id, **changes)

        watched: IdentityProvider = Watched(server.toolkit, settings.project, Owner())
        self.clients.replace(identity_provider, watched)

    def store(self, **fields: Any) -> None:
        """Store the person."""
        store_person(self.clients, user_id=self.user_id, **fields)

    def forget(self) -> None:
        """Delete the person's document."""
        self.clients.get(firestore_client).document(f"users/{self.user_id}").delete()

    def follow(self) -> None:
        """Deliver an event."""
        follow(self.context, self.user_id)

    @property
    def account(self) -> Account:
        """The account as the provider has it."""
        found = self.clients.get(identity_provider).account(self.context, self.user_id)
        assert found is not None
        return found

    @property
    def claims(self) -> Mapping[str, Any]:
        """The account's custom claims."""
        return self.account.claims


@pytest.fixture(scope="module")
def accounts(settings: Settings) -> Accounts:
    """Every account."""
    return Accounts(settings.project)


@pytest.fixture(scope="module")
def server(accounts: Accounts) -> Iterator[AccountsServer]:
    """The provider on a port."""
    running = AccountsServer(accounts)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def home(settings: Settings, server: AccountsServer, accounts: Accounts) -> Home:
    """A person of the test's own."""
    return Home(settings, server, accounts)


def test_the_follower_hears_of_people_and_of_nothing_else() -> None:
    [entry] = [each for each in load_manifest() if each["name"] == "tenants-user-claims"]
    of_people = [each for each in USERS.events.values() if each.startswith("user-")]
    others = [each for entity in (INVITES, FEATURE_FLAGS) for each in entity.events.values() if each[:5] == "user-"]
    assert (entry["topic"], entry["filter"]) == ("tenants-events", 'hasPrefix(attributes.event_type, "user-")')
    assert (of_people, others) == (list(USERS.events.values()), [])


def test_claims_follow_the_document_and_come_once(home: Home) -> None:
    home.store(role="manager")
    for _ in range(3):
        home.follow()
    assert home.claims == {"tenant_id": "acme", "role": "manager"}
    assert home.writes == 1
    assert home.account.valid_since == 0, "nobody is signed out by joining"


def test_a_late_event_writes_what_counts_now(home: Home) -> None:
    home.store(role="admin")
    home.store(role="viewer")
    home.follow()
    home.follow()
    assert home.claims["role"] == "viewer"


def test_ended_sessions_end_at_the_provider(home: Home) -> None:
    ended = datetime.now(UTC) - timedelta(seconds=90)
    home.store(role="user", sessions_valid_after=ended)
    home.follow()
    assert home.account.valid_since == int(ended.timestamp()) + 1
    home.store(role="user", sessions_valid_after=ended - timedelta(hours=1))
    home.follow()
    assert home.account.valid_since == int(ended.timestamp()) + 1, "never set back"


def test_who_was_removed_loses_tenant_and_sessions_and_keeps_other_claims(home: Home) -> None:
    provider = home.clients.get(identity_provider)
    provider.update(home.context, home.user_id, claims={"tenant_id": "acme", "role": "user", "beta": True})
    home.forget()
    home.follow()
    assert home.claims == {"beta": True}
    since = home.account.valid_since
    assert abs(since - datetime.now(UTC).timestamp()) < 60
    home.writes = 0
    home.follow()
    assert (home.writes, home.account.valid_since) == (0, since)


def test_the_account_of_an_erased_person_is_deleted_unless_the_person_is_back(home: Home) -> None:
    home.store(role="user")
    follow(home.context, home.user_id, erased=True)
    assert home.claims["role"] == "user"
    home.forget()
    for _ in range(2):
        follow(home.context, home.user_id, erased=True)
    assert home.clients.get(identity_provider).account(home.context, home.user_id) is None


def test_who_joined_elsewhere_meanwhile_belongs_there(home: Home) -> None:
    home.store(role="user")
    home.follow()
    store_person(home.clients, "globex", home.user_id, role="viewer")
    home.follow()
    assert home.claims == {"tenant_id": "globex", "role": "viewer"}


def test_a_slow_delivery_never_leaves_the_older_state(home: Home) -> None:
    """It has read a document and is about to write; another delivery, of a newer one, comes and goes."""
    home.store(role="admin")

    def overtaken() -> None:
        home.store(role="viewer")
        home.follow()
        assert home.claims["role"] == "viewer"

    home.before_write = overtaken
    home.follow()
    assert home.claims["role"] == "viewer"


def test_a_delivery_that_never_comes_to_rest_is_left_to_come_again(home: Home) -> None:
    roles = ["admin", "manager"] * LOOKS
    home.store(role="user")

    def again() -> None:
        home.store(role=roles.pop())
        home.before_write = again

    home.before_write = again
    with pytest.raises(Unavailable):
        home.follow()
    home.before_write = lambda: None
    home.follow()
    assert home.claims["role"] in {"admin", "manager"}


def test_an_account_that_is_gone_and_a_deployment_without_a_provider_are_nothing_to_follow(home: Home) -> None:
    follow(home.context, "nobody")
    settings = replace(home.clients.settings, identity_url="")
    follow(context_of(Clients(settings)), home.user_id)
