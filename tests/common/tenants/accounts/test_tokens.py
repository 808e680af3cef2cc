"""Access tokens: given out while they last, renewed once for all who ask, and lost to no fault of the provider."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context, Deadline
from common.crypto import rotation
from common.errors import Conflict, NotFound, Unavailable
from common.people import forget_person
from common.store import Repository, Work, transact
from common.tenants.accounts import accounts, leases, tokens
from common.tenants.accounts.entities import ACCOUNT_TOKENS, ACCOUNTS
from common.tenants.accounts.models import Account
from tests.common.security import store_person
from tests.common.tenants.accounts.world import elsewhere, link, newcomer
from tests.oauth import OAuthServer, Person
from tests.stack import wait_for


@pytest.fixture(scope="module")
def me(clients: Clients) -> Context:
    return newcomer(clients)


def patient(context: Context, seconds: float = 30) -> Context:
    return dataclasses.replace(context, deadline=Deadline.after(seconds))


def expire(context: Context, account: Account, *, left: timedelta = timedelta(0)) -> None:
    """Let the access token end."""

    def work(work: Work) -> None:
        record = work.get(ACCOUNT_TOKENS, account.account_id)
        changes = {"expires_at": datetime.now(UTC) + left, "generation": record.value.generation + 1}
        work.update(ACCOUNT_TOKENS, record, record.value.model_copy(update=changes))

    transact(context, work)


def status(context: Context, account: Account) -> tuple[str, str | None]:
    found = Repository(ACCOUNTS, context).get(account.account_id).value
    return found.status, found.status_reason


def test_a_token_is_given_out_while_it_lasts(me: Context, oauth_provider: OAuthServer) -> None:
    person = oauth_provider.person()
    account = link(me, oauth_provider, person)
    token = tokens.access_token(me, account.account_id)
    assert token.text == person.access[-1]
    assert token.headers() == {"authorization": f"Bearer {token.text}"}
    assert token.text not in repr(token)
    assert tokens.access_token(elsewhere(me), account.account_id) == token
    assert person.refreshed == 0


def test_a_token_that_ends_soon_or_was_rejected_is_renewed(me: Context, oauth_provider: OAuthServer) -> None:
    person = oauth_provider.person()
    account = link(me, oauth_provider, person)
    expire(me, account, left=tokens.EARLY - timedelta(seconds=5))
    renewed = tokens.access_token(me, account.account_id)
    assert (renewed.text, person.refreshed) == (person.access[-1], 1)
    again = tokens.access_token(me, account.account_id, rejected=renewed.text)
    assert again.text != renewed.text
    assert tokens.access_token(me, account.account_id, rejected=renewed.text) == again, "the new one was not rejected"
    assert person.refreshed == 2


def test_rotated_refresh_tokens_are_kept(me: Context, oauth_provider: OAuthServer) -> None:
    person = oauth_provider.person(rotates=True)
    account = link(me, oauth_provider, person)
    for count in (1, 2, 3):
        expire(me, account)
        assert tokens.access_token(me, account.account_id).text == person.access[-1]
        assert person.refreshed == count
    assert len(person.granted) == 1


def test_those_who_ask_at_once_share_one_refresh(me: Context, oauth_provider: OAuthServer) -> None:
    """Two processes with two threads each; a provider that ends refresh tokens would punish a second call."""
    person = oauth_provider.person(rotates=True)
    account = link(me, oauth_provider, person)
    expire(me, account)
    person.hold.clear()
    processes = [me, elsewhere(me)]
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(tokens.access_token, patient(each), account.account_id) for each in processes * 2]
        wait_for(lambda: person.refreshed)
        person.hold.set()
        found = {each.result().text for each in asked}
    assert found == {person.access[-1]}
    assert person.refreshed == 1


def test_whoever_cannot_wait_is_told_and_nothing_is_lost(me: Context, oauth_provider: OAuthServer) -> None:
    person = oauth_provider.person(rotates=True)
    account = link(me, oauth_provider, person)
    expire(me, account)
    person.hold.clear()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(tokens.access_token, patient(me), account.account_id)
        wait_for(lambda: person.refreshed)
        for hurried in (me, elsewhere(me)):
            with pytest.raises(Unavailable):
                tokens.access_token(patient(hurried, 0.5), account.account_id)
        person.hold.set()
        assert slow.result().text == person.access[-1]
    assert tokens.access_token(me, account.account_id).text == person.access[-1]


@pytest.mark.parametrize(
    "answer", [(500, b""), (429, b"{}"), (200, b"nonsense"), (401, b'{"error": "invalid_client"}')]
)
def test_what_passes_by_costs_no_token(me: Context, oauth_provider: OAuthServer, answer: tuple[int, bytes]) -> None:
    person = oauth_provider.person(body=[answer, answer])
    account = link_later(me, oauth_provider, person)
    expire(me, account, left=timedelta(minutes=1))
    still = tokens.access_token(me, account.account_id)
    assert still.text == person.access[-1], "the old token lasts for a while"
    expire(me, account)
    with pytest.raises(Unavailable):
        tokens.access_token(me, account.account_id)
    assert status(me, account) == ("active", None)
    assert tokens.access_token(me, account.account_id).text == person.access[-1]
    assert person.refreshed == 3


def link_later(context: Context, server: OAuthServer, person: Person) -> Account:
    """Link a person whose faults begin after that."""
    faults, person.body = person.body, []
    account = link(context, server, person)
    person.body = faults
    return account


def test_those_who_waited_share_the_failure(me: Context) -> None:
    account_id = "waited-for"
    since = datetime.now(UTC)
    lease = leases.take(me, account_id, since)
    assert isinstance(lease, leases.Lease)
    leases.give_back(me, lease, "google is down")
    assert leases.take(elsewhere(me), account_id, since) == leases.Held(failure="google is down")
    later = leases.take(elsewhere(me), account_id, datetime.now(UTC))
    assert isinstance(later, leases.Lease), "whoever comes afterwards tries again"


def test_a_consent_taken_back_is_told_once(me: Context, oauth_provider: OAuthServer) -> None:
    person = oauth_provider.person()
    account = link(me, oauth_provider, person)
    expire(me, account)
    person.ends_consent()
    for each in (me, elsewhere(me)):
        with pytest.raises(Conflict) as refused:
            tokens.access_token(each, account.account_id)
        assert refused.value.code == "needs_reauth"
    assert status(me, account) == ("needs_reauth", "invalid_grant")
    assert person.refreshed == 1, "nobody asks again for what is known"
    before = Repository(ACCOUNTS, me).get(account.account_id)
    again = link(me, oauth_provider, person)
    assert (again.account_id, again.status, again.status_reason) == (account.account_id, "active", None)
    assert Repository(ACCOUNTS, me).get(account.account_id).update_time > before.update_time
    assert tokens.access_token(me, account.account_id).text == person.access[-1]


def test_a_refusal_that_comes_after_a_new_link_changes_nothing(me: Context, oauth_provider: OAuthServer) -> None:
    person = oauth_provider.person()
    account = link(me, oauth_provider, person)
    expire(me, account)
    person.hold.clear()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(tokens.access_token, patient(me), account.account_id)
        wait_for(lambda: person.refreshed)
        person.ends_consent()
        expire(me, account, left=timedelta(hours=1))  # as a new link would: other tokens are stored meanwhile
        person.hold.set()
        with pytest.raises(Conflict):
            slow.result()
    assert status(me, account) == ("active", None)
    assert tokens.access_token(me, account.account_id).text == person.access[-1]


def test_an_account_unlinked_during_a_refresh_stays_gone(me: Context, oauth_provider: OAuthServer) -> None:
    person = oauth_provider.person()
    account = link(me, oauth_provider, person)
    expire(me, account)
    person.hold.clear()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(tokens.access_token, patient(me), account.account_id)
        wait_for(lambda: person.refreshed)
        accounts.unlink(me, account.account_id)
        person.hold.set()
        with pytest.raises((NotFound, Conflict)):
            slow.result()
    assert Repository(ACCOUNT_TOKENS, me).find(account.account_id) is None
    assert person.revoked


def test_a_lease_whose_holder_died_ends_by_itself(me: Context, oauth_provider: OAuthServer) -> None:
    person = oauth_provider.person()
    account = link(me, oauth_provider, person)
    expire(me, account)
    lease = leases.take(me, account.account_id)
    assert isinstance(lease, leases.Lease)
    assert leases.take(elsewhere(me), account.account_id) == leases.Held(failure=None)
    with pytest.raises(Unavailable):
        tokens.access_token(patient(me, 0.4), account.account_id)
    reference = me.clients.get(firestore_client).document(lease.path)
    reference.update({"until": datetime.now(UTC) - timedelta(seconds=1)})
    assert tokens.access_token(me, account.account_id).text == person.access[-1]
    leases.give_back(me, lease)
    assert reference.get().get("holder") != lease.holder, "whoever lost the lease cannot end another's"


def test_a_foreign_or_deactivated_owner_gets_no_token(clients: Clients, oauth_provider: OAuthServer) -> None:
    me, stranger = newcomer(clients), newcomer(clients)
    account = link(me, oauth_provider, oauth_provider.person())
    with pytest.raises(NotFound) as refused:
        tokens.access_token(stranger, account.account_id)
    assert refused.value.code == "account_not_found"
    store_person(clients, me.tenant_id, me.principal.id, status="deactivated")
    forget_person(clients, me.principal.id)
    with pytest.raises(Conflict) as inactive:
        tokens.access_token(me, account.account_id)
    assert inactive.value.code == "account_owner_inactive"


def test_keys_rotate_in_the_middle_of_it(me: Context, oauth_provider: OAuthServer) -> None:
    person = oauth_provider.person(rotates=True)
    account = link(me, oauth_provider, person)
    friend = oauth_provider.person()
    other = link(me, oauth_provider, friend)
    before = Repository(ACCOUNT_TOKENS, me).get(other.account_id).value
    expire(me, account)
    person.hold.clear()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(tokens.access_token, patient(elsewhere(me)), account.account_id)
        wait_for(lambda: person.refreshed)
        done = rotation.rotate(me, me.tenant_id, new_after=timedelta(0))
        assert done is not None
        assert done.is_new
        rotation.rotate_tenant(me, rotation.RotationTask(day="2026-11-21"))
        person.hold.set()
        assert slow.result().text == person.access[-1]
    after = Repository(ACCOUNT_TOKENS, me).get(other.account_id).value
    for text, renewed in ((before.access_token, after.access_token), (before.refresh_token, after.refresh_token)):
        assert text is not None
        assert renewed is not None
        assert renewed.split(".")[1] == done.current != text.split(".")[1]
    assert (
        tokens.access_token(elsewhere(me), other.account_id).text
        == oauth_provider.people[other.provider_account_id].access[-1]
    )


# ---------------------------------------------------------------------- every order of what may happen


class Life(RuleBasedStateMachine):
    """An account through links, refreshes, consents taken back, faults and unlinking, in any order."""

    me: Context
    server: OAuthServer

    def __init__(self) -> None:
        super().__init__()
        self.person = self.server.person(rotates=True)
        self.account: Account | None = None
        self.status = "gone"

    def link(self) -> None:
        self.person.body.clear()
        account = link(patient(self.me), self.server, self.person)
        assert self.account is None or account.account_id == self.account.account_id
        self.account, self.status = account, "active"

    @rule()
    def linked(self) -> None:
        self.link()

    @precondition(lambda self: self.account is not None)
    @rule()
    def consent_taken_back(self) -> None:
        self.person.ends_consent()

    @precondition(lambda self: self.account is not None)
    @rule()
    def provider_down(self) -> None:
        self.person.body[:] = [(503, b"")]

    @precondition(lambda self: self.account is not None)
    @rule()
    def asked_when_ended(self) -> None:
        assert self.account is not None
        expire(self.me, self.account)
        calls, good, fault = self.person.refreshed, bool(self.person.granted), bool(self.person.body)
        try:
            found: Any = tokens.access_token(patient(self.me), self.account.account_id).text
        except Conflict as error:
            found = error.code
        except Unavailable:
            found = None
        if self.status == "needs_reauth":
            assert (found, self.person.refreshed) == ("needs_reauth", calls)
        elif fault:
            assert (found, self.person.body) == (None, [])
        elif good:
            assert found == self.person.access[-1]
        else:
            assert found == "needs_reauth"
            self.status = "needs_reauth"

    @precondition(lambda self: self.account is not None)
    @rule()
    def unlinked(self) -> None:
        assert self.account is not None
        accounts.unlink(patient(self.me), self.account.account_id)
        assert not self.person.granted, "given back"
        with pytest.raises(NotFound):
            tokens.access_token(patient(self.me), self.account.account_id)
        self.account, self.status = None, "gone"

    @invariant()
    def stored_as_known(self) -> None:
        found = Repository(ACCOUNTS, patient(self.me)).select([("provider_account_id", "==", self.person.subject)])
        assert [each.value.status for each in found] == ([] if self.status == "gone" else [self.status])
        for each in found:
            stored = Repository(ACCOUNT_TOKENS, patient(self.me)).get(each.value.account_id).value
            assert (stored.refresh_token is None) is (self.status == "needs_reauth")


def test_every_order_of_events(me: Context, oauth_provider: OAuthServer) -> None:
    machine = type("Machine", (Life,), {"me": me, "server": oauth_provider})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        machine, settings=settings(max_examples=5, stateful_step_count=10, deadline=None, suppress_health_check=checks)
    )
