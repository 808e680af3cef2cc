"""Linking: what a person who comes back may bring, and what is refused with which code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from common.answers import Answer
from common.clients.firestore import firestore_client
from common.clients.registry import Clients
from common.context import Context, Principal
from common.crypto import keys
from common.errors import Refusal, SealBroken, Unavailable
from common.people import forget_person
from common.store import Repository
from common.technical import OAUTH_STATES
from common.tenants.accounts import linking, states
from common.tenants.accounts.entities import ACCOUNT_TOKENS, ACCOUNTS
from common.tenants.accounts.models import AccountCallbackQuery, AccountLink
from tests.common.security import store_person
from tests.common.tenants.accounts.conftest import ORIGIN
from tests.common.tenants.accounts.world import coming_back, link, newcomer, query_of, visited
from tests.oauth import PLANTED, OAuthServer, Person

MAIL = "https://www.googleapis.com/auth/gmail.readonly"
Change = Callable[[Person], object]


@pytest.fixture(scope="module")
def me(clients: Clients) -> Context:
    return newcomer(clients)


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refusal:
        action()
    return refusal.value.code


def test_the_person_is_sent_to_the_provider_with_everything_that_protects_the_way_back(
    me: Context, oauth_provider: OAuthServer
) -> None:
    answer = linking.start(me, AccountLink(provider="google", scopes=[MAIL, "email", MAIL]))
    assert (answer.status, answer.secret) == (201, True)
    started = answer.content
    url = urlsplit(started.authorization_url)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{oauth_provider.url}/google/authorize"
    assert query["scope"] == f"openid email profile {MAIL}"
    assert (query["access_type"], query["prompt"], query["code_challenge_method"]) == ("offline", "consent", "S256")
    assert query["state"] == started.state
    assert started.expires_at - datetime.now(UTC) <= states.LIFETIME
    stored = [each.to_dict() for each in me.clients.get(firestore_client).collection(OAUTH_STATES.path).stream()]
    assert stored
    assert started.state not in repr(stored), "the state is stored hashed"
    assert query["nonce"] not in repr(stored), "the nonce is stored sealed"


def test_an_account_is_linked_and_its_tokens_are_sealed(me: Context, oauth_provider: OAuthServer) -> None:
    person = oauth_provider.person()
    account = link(me, oauth_provider, person, scopes=[MAIL])
    assert (account.user_id, account.status, account.email) == (me.principal.id, "active", person.email)
    assert (account.provider_account_id, account.name) == (person.subject, "Person of Tests")
    assert MAIL in account.scopes
    stored = Repository(ACCOUNT_TOKENS, me).get(account.account_id).value
    for text in (stored.access_token, stored.refresh_token, stored.id_token):
        assert text is not None
        assert text.startswith("xe1.")
    assert PLANTED not in repr(stored)


def test_microsoft_accounts_are_known_by_directory_and_subject(me: Context, oauth_provider: OAuthServer) -> None:
    person = oauth_provider.person(claims={"email": None})
    account = link(me, oauth_provider, person, provider="microsoft", scopes=["https://graph.microsoft.com/Mail.Read"])
    assert account.provider_account_id.endswith(f":{person.subject}")
    assert account.email == person.email, "told by the user information where the ID token does not"


def test_a_state_serves_once(me: Context, oauth_provider: OAuthServer) -> None:
    query = visited(me, oauth_provider, oauth_provider.person())
    linking.finish(coming_back(me), query)
    with pytest.raises(Refusal) as replay:
        linking.finish(coming_back(me), query)
    assert (replay.value.status, replay.value.code, replay.value.audited) == (409, "state_used", me.tenant_id)


def test_a_state_that_nobody_began_is_refused(me: Context) -> None:
    query = AccountCallbackQuery(state="x" * 43, code="c")
    assert refused(lambda: linking.finish(coming_back(me), query)) == "state_unknown"


def test_a_state_ends_after_ten_minutes(me: Context) -> None:
    late = datetime.now(UTC) + states.LIFETIME + timedelta(seconds=1)
    state = linking.start(me, AccountLink(provider="google")).content.state
    assert refused(lambda: states.use(me, state, late)) == "state_expired"
    # Coming late uses nothing up.
    assert states.use(coming_back(me), state).user_id == me.principal.id


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"declines": "access_denied"}, "access_denied"),
        ({"declines": "server_error"}, "provider_error"),
        ({"declines": "<script>"}, "provider_error"),
        ({"ungranted": {MAIL}}, "missing_scope"),
        ({"keeps_refresh": True}, "offline_access_missing"),
        ({"claims": {"nonce": "another"}}, "nonce_mismatch"),
        ({"claims": {"nonce": None}}, "nonce_mismatch"),
        ({"claims": {"aud": "client-of-somebody-else"}}, "audience_mismatch"),
        ({"claims": {"aud": ["google-client", "other"], "azp": "other"}}, "audience_mismatch"),
        ({"claims": {"aud": ["google-client", "other"]}}, "audience_mismatch"),
        ({"claims": {"azp": "other"}}, "audience_mismatch"),
        ({"claims": {"iss": "https://evil.example"}}, "issuer_mismatch"),
        ({"claims": {"iss": None}}, "issuer_mismatch"),
        ({"claims": {"sub": None}}, "id_token_invalid"),
        ({"claims": {"sub": "a:b"}}, "id_token_invalid"),
        ({"claims": {"exp": float("inf")}}, "id_token_invalid"),
        ({"claims": {"exp": 1}}, "id_token_expired"),
        ({"claims": {"iat": 1}}, "id_token_expired"),
        ({"claims": {"iat": 9e9}}, "id_token_expired"),
        ({"claims": {"id_token": ""}}, "id_token_missing"),
        ({"claims": {"email": None}, "userinfo": {"sub": "another"}}, "subject_mismatch"),
        ({"body": [(400, b'{"error": "invalid_grant"}')]}, "code_refused"),
        ({"body": [(200, b'{"access_token": "a", "refresh_token": "r", "id_token": "no.token"}')]}, "id_token_invalid"),
    ],
)
def test_whatever_does_not_fit_has_its_own_code(
    me: Context, oauth_provider: OAuthServer, change: dict[str, Any], code: str
) -> None:
    person = oauth_provider.person(**change)
    query = visited(me, oauth_provider, person, scopes=[MAIL])
    assert refused(lambda: linking.finish(coming_back(me), query)) == code
    found = Repository(ACCOUNTS, me).select([("provider_account_id", "==", person.subject)])
    assert not found, "nothing is linked"


@pytest.mark.parametrize(
    "answer",
    [
        (500, b""),
        (302, b""),
        (401, b'{"error": "invalid_client"}'),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b" " * 200_000),
        (200, b'{"access_token": 7}'),
        (200, b'{"access_token": "a", "expires_in": "soon"}'),
    ],
)
def test_a_provider_that_answers_nonsense_is_told_apart(
    me: Context, oauth_provider: OAuthServer, answer: tuple[int, bytes]
) -> None:
    query = visited(me, oauth_provider, oauth_provider.person(body=[answer]))
    with pytest.raises(Unavailable) as away:
        linking.finish(coming_back(me), query)
    assert away.value.dependency == "google"


def test_the_callback_needs_a_code_and_the_right_sender(me: Context, oauth_provider: OAuthServer) -> None:
    for change, code in (({"code": None}, "code_missing"), ({"iss": "https://evil.example"}, "issuer_mismatch")):
        query = visited(me, oauth_provider, oauth_provider.person()).model_copy(update=change)
        assert refused(lambda: linking.finish(coming_back(me), query)) == code  # noqa: B023  # called at once


def test_a_code_of_another_sign_in_is_refused(me: Context, oauth_provider: OAuthServer) -> None:
    """Prevents that a stolen code is spent: the verifier it was asked with stays with its own state."""
    stolen = visited(me, oauth_provider, oauth_provider.person()).code
    query = visited(me, oauth_provider, oauth_provider.person()).model_copy(update={"code": stolen})
    assert refused(lambda: linking.finish(coming_back(me), query)) == "code_refused"


def test_one_account_belongs_to_one_person_of_a_tenant(clients: Clients, oauth_provider: OAuthServer) -> None:
    ann = newcomer(clients)
    bob, stranger = newcomer(clients, ann.tenant_id), newcomer(clients)
    person = oauth_provider.person()
    first = link(ann, oauth_provider, person)
    with pytest.raises(Refusal) as refusal:
        link(bob, oauth_provider, person)
    assert (refusal.value.code, refusal.value.audited) == ("linked_elsewhere", ann.tenant_id)
    again = link(ann, oauth_provider, person, scopes=[MAIL])
    assert (again.account_id, again.created_at) == (first.account_id, first.created_at)
    assert MAIL in again.scopes
    assert link(stranger, oauth_provider, person).account_id != first.account_id, "tenants do not know one another"


def test_whoever_may_not_work_any_more_links_nothing(clients: Clients, oauth_provider: OAuthServer) -> None:
    me = newcomer(clients)
    query = visited(me, oauth_provider, oauth_provider.person())
    store_person(clients, me.tenant_id, me.principal.id, status="deactivated")
    forget_person(clients, me.principal.id)
    assert refused(lambda: linking.finish(coming_back(me), query)) == "link_not_allowed"


def test_the_browser_goes_on_to_the_application(me: Context, oauth_provider: OAuthServer) -> None:
    redirect = f"{ORIGIN}/settings?tab=accounts#linked"

    def sent(person: Person) -> Answer[Any]:
        return linking.finish(coming_back(me), visited(me, oauth_provider, person, redirect=redirect))

    answer = sent(oauth_provider.person())
    assert (answer.status, answer.content) == (303, None)
    url = urlsplit(answer.headers["Location"])
    assert (url.netloc, url.path, url.fragment) == ("app.example", "/settings", "linked")
    told = parse_qs(url.query)
    assert told["tab"] == ["accounts"]
    assert Repository(ACCOUNTS, me).get(told["account_id"][0]).value.user_id == me.principal.id
    for person, code in (
        (oauth_provider.person(declines="access_denied"), "access_denied"),
        (oauth_provider.person(claims={"nonce": "x"}), "nonce_mismatch"),
        (oauth_provider.person(body=[(500, b"")]), "dependency_unavailable"),
    ):
        assert parse_qs(urlsplit(sent(person).headers["Location"]).query)["error"] == [code]


@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.example/",
        "https://app.example.evil.example/",
        "https://app.example@evil.example/",
        "https://app.example:8443/",
        "http://app.example/",
        "//app.example/",
        "/settings",
        "javascript:alert(1)",
        "https://app.example\\@evil.example/",
        "https://app.example/\r\nSet-Cookie: a=b",
        "https://[/",
    ],
)
def test_nobody_is_sent_to_strangers(me: Context, redirect: str) -> None:
    assert (
        refused(lambda: linking.start(me, AccountLink(provider="google", redirect=redirect))) == "redirect_not_allowed"
    )


def test_only_people_link_and_only_where_the_deployment_is_registered(me: Context, clients: Clients) -> None:
    import dataclasses

    key = dataclasses.replace(me, principal=Principal(kind="key", id="k", tenant_id=me.tenant_id, role="admin"))
    assert refused(lambda: linking.start(key, AccountLink(provider="google"))) == "person_only"
    bare = dataclasses.replace(me, clients=Clients(dataclasses.replace(clients.settings, oauth_clients="")))
    assert refused(lambda: linking.start(bare, AccountLink(provider="microsoft"))) == "provider_not_configured"


def test_a_tenant_whose_key_is_destroyed_links_nothing(clients: Clients, oauth_provider: OAuthServer) -> None:
    me = newcomer(clients)
    query = visited(me, oauth_provider, oauth_provider.person())
    keys.destroy(me, me.tenant_id)
    with pytest.raises(SealBroken, match="destroyed"):
        linking.finish(coming_back(me), query)
    assert not Repository(ACCOUNTS, me).select()


def test_query_of_reads_what_providers_send() -> None:
    query = query_of("http://x/?state=s&code=c&scope=a&authuser=0&session_state=1&prompt=none&new_thing=1")
    assert (query.state, query.code) == ("s", "c")
