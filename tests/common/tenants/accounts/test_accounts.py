"""Accounts below the functions: what is given back to a provider and when, and an index for every list."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from itertools import product

import pytest

from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context
from common.crypto import keys
from common.deliveries import DocumentDelivery, DocumentVersion
from common.errors import Unavailable
from common.store import Repository
from common.tenants.accounts import accounts
from common.tenants.accounts.entities import ACCOUNT_TOKENS, ACCOUNTS
from common.tenants.accounts.models import Account
from tests.common.aso.test_entities import has_index
from tests.common.tenants.accounts.world import coming_back, link, newcomer
from tests.oauth import OAuthServer


@pytest.fixture(scope="module")
def me(clients: Clients) -> Context:
    return newcomer(clients)


def deletion(context: Context, account: Account) -> DocumentDelivery:
    """Return the delivery of the deletion of an account's tokens."""
    now = datetime.now(UTC)
    snapshot = context.clients.get(firestore_client).document(f"account_tokens/{account.account_id}").get()
    return DocumentDelivery(
        path=snapshot.reference.path,
        parameters={"account_id": account.account_id},
        before=DocumentVersion(fields=snapshot.to_dict(), create_time=now, update_time=now),
        after=None,
        event_id="1",
        time=now,
    )


def test_deleted_tokens_are_given_back_until_the_provider_takes_them(me: Context, oauth_provider: OAuthServer) -> None:
    person = oauth_provider.person()
    change = deletion(me, link(me, oauth_provider, person))
    for status in (500, 429, 401, 403):
        person.revocation = status
        with pytest.raises(Unavailable):
            accounts.given_back(coming_back(me), change)
    person.revocation = 400  # Google's word for a token that it does not know
    accounts.given_back(coming_back(me), change)
    person.revocation = None
    accounts.given_back(coming_back(me), change)
    accounts.given_back(coming_back(me), change)
    assert person.revoked
    assert not person.granted


def test_what_cannot_be_given_back_is_given_up(clients: Clients, oauth_provider: OAuthServer) -> None:
    me, person = newcomer(clients), oauth_provider.person()
    change = deletion(me, link(me, oauth_provider, person))
    bare = Clients(dataclasses.replace(clients.settings, oauth_clients=""))
    accounts.given_back(dataclasses.replace(coming_back(me), clients=bare), change)
    keys.destroy(me, me.tenant_id)
    accounts.given_back(coming_back(me), change)
    assert person.granted


def test_microsoft_has_no_place_to_give_tokens_back(me: Context, oauth_provider: OAuthServer) -> None:
    person = oauth_provider.person()
    account = link(me, oauth_provider, person, provider="microsoft")
    accounts.unlink(me, account.account_id)
    assert not person.revoked
    assert Repository(ACCOUNTS, me).find(account.account_id) is None
    assert Repository(ACCOUNT_TOKENS, me).find(account.account_id) is None


def test_every_list_has_its_index() -> None:
    for user, status in product((True, False), repeat=2):
        filters = [("user_id", "==", "u")] * user + [("status", "==", "active")] * status
        assert has_index(ACCOUNTS, filters, ("-created_at",))
    assert has_index(ACCOUNTS, [("provider", "==", "google"), ("provider_account_id", "==", "1")], ())
