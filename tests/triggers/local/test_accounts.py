"""The identity provider of the local cloud, by its wire format, and the client that speaks it.

``XYNERGY_AUTH_EMULATOR=127.0.0.1:9099`` runs the same tests against Google's emulator, to see that both answer alike.
"""

from __future__ import annotations

import base64
import json
import os
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from common.clients.identity import IdentityProvider, IdentityRefused, Owner
from common.clients.registry import Clients
from common.context import Context, Deadline, Principal
from common.errors import ConfigurationError, Unavailable
from common.settings import Settings
from triggers.local.accounts import Accounts
from triggers.local.accounts_server import TOOLKIT, AccountsServer

PROJECT = "demo-accounts"
OFFICIAL = "XYNERGY_AUTH_EMULATOR"


class Provider:
    """A server of the wire format.

    Attributes:
        root: Address of the server.
        client: Our client of it.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.client = IdentityProvider(f"{root}{TOOLKIT}", PROJECT, Owner())

    def call(self, method: str, body: dict[str, Any], *, owner: bool = False) -> dict[str, Any]:
        """Call as an application does, or as the project's owner."""
        place = f"/v1/projects/{PROJECT}/{method}" if owner else f"/v1/{method}?key=any"
        headers = {"Authorization": "Bearer owner"} if owner else {}
        answer = requests.post(f"{self.root}{TOOLKIT}{place}", json=body, headers=headers, timeout=20)
        told: dict[str, Any] = answer.json()
        assert ("error" in told) == (answer.status_code != 200)
        return told

    def refused(self, method: str, body: dict[str, Any], *, owner: bool = False) -> str:
        """Return the word of a refusal."""
        error = self.call(method, body, owner=owner)["error"]
        assert error["code"] == 400
        return str(error["message"]).partition(" ")[0]

    def refresh(self, token: str) -> requests.Response:
        """Exchange a refresh token."""
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return requests.post(f"{self.root}/securetoken.googleapis.com/v1/token?key=any", data=form, timeout=20)

    def signed_up(self) -> dict[str, Any]:
        """Sign somebody up."""
        body = {"email": f"{uuid.uuid4().hex}@Example.com", "password": "correct horse", "returnSecureToken": True}
        return self.call("accounts:signUp", body)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """Our server, or Google's emulator where its address is given."""
    official = os.environ.get(OFFICIAL)
    if official:
        yield Provider(f"http://{official}")
        return
    server = AccountsServer(Accounts(PROJECT))
    server.start()
    yield Provider(server.toolkit.removesuffix(TOOLKIT))
    server.stop()


@pytest.fixture
def context() -> Context:
    """Circumstances of a call."""
    settings = Settings(environment="local", project=PROJECT)
    principal = Principal(kind="service", id="tests", role="service")
    return Context(function="tests", tenant_id="acme", principal=principal, clients=Clients(settings))


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims of a token, which is unsigned."""
    header, payload, signature = token.split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["alg"] == "none"
    assert signature == ""
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def test_signing_up_gives_an_id_token_of_the_project(provider: Provider) -> None:
    answer = provider.signed_up()
    assert answer["kind"] == "identitytoolkit#SignupNewUserResponse"
    assert answer["expiresIn"] == "3600"
    claims = claims_of(answer["idToken"])
    assert claims["aud"] == PROJECT
    assert claims["iss"] == f"https://securetoken.google.com/{PROJECT}"
    assert claims["sub"] == claims["user_id"] == answer["localId"]
    assert claims["email"] == answer["email"] == answer["email"].lower()
    assert claims["email_verified"] is False
    assert claims["firebase"] == {"identities": {"email": [answer["email"]]}, "sign_in_provider": "password"}
    assert claims["exp"] - claims["iat"] == 3600
    assert abs(claims["auth_time"] - time.time()) < 60


def test_signing_in_and_refreshing(provider: Provider) -> None:
    person = provider.signed_up()
    body = {"email": person["email"].upper(), "password": "correct horse", "returnSecureToken": True}
    answer = provider.call("accounts:signInWithPassword", body)
    assert (answer["localId"], answer["registered"]) == (person["localId"], True)
    refreshed = provider.refresh(answer["refreshToken"])
    told = refreshed.json()
    assert refreshed.status_code == 200
    assert (told["user_id"], told["token_type"], told["expires_in"]) == (person["localId"], "Bearer", "3600")
    assert claims_of(told["id_token"])["sub"] == person["localId"]


def test_what_cannot_be_signed_up_or_in(provider: Provider) -> None:
    person = provider.signed_up()
    up, sign_in = "accounts:signUp", "accounts:signInWithPassword"
    assert provider.refused(up, {"email": person["email"], "password": "correct horse"}) == "EMAIL_EXISTS"
    assert provider.refused(up, {"email": "nobody", "password": "correct horse"}) == "INVALID_EMAIL"
    assert provider.refused(up, {"email": "a@example.com", "password": "short"}) == "WEAK_PASSWORD"
    assert provider.refused(up, {"password": "correct horse"}) == "MISSING_EMAIL"
    assert provider.refused(sign_in, {"email": person["email"], "password": "wrong"}) == "INVALID_PASSWORD"
    assert provider.refused(sign_in, {"email": "gone@example.com", "password": "wrong"}) == "EMAIL_NOT_FOUND"
    again = {"localId": person["localId"], "email": "b@example.com"}
    assert provider.refused("accounts", again, owner=True) == "DUPLICATE_LOCAL_ID"
    assert provider.refresh("nonsense").json()["error"]["message"].startswith("INVALID_REFRESH_TOKEN")


def test_a_lookup_shows_whom_there_is(provider: Provider) -> None:
    person = provider.signed_up()
    asked = {"localId": [person["localId"], "nobody"]}
    [found] = provider.call("accounts:lookup", asked, owner=True)["users"]
    [own] = provider.call("accounts:lookup", {"idToken": person["idToken"]})["users"]
    assert found["localId"] == own["localId"] == person["localId"]
    assert found["email"] == person["email"]
    assert found["emailVerified"] is False
    assert "users" not in provider.call("accounts:lookup", {"localId": ["nobody"]}, owner=True)
    assert provider.refused("accounts:lookup", {}) == "MISSING_ID_TOKEN"


def test_claims_arrive_in_the_next_token(provider: Provider, context: Context) -> None:
    person = provider.signed_up()
    assert provider.client.update(context, person["localId"], claims={"tenant_id": "acme", "role": "user"})
    told = provider.refresh(person["refreshToken"]).json()
    claims = claims_of(told["id_token"])
    assert (claims["tenant_id"], claims["role"]) == ("acme", "user")
    account = provider.client.account(context, person["localId"])
    assert account is not None
    assert account.claims == {"tenant_id": "acme", "role": "user"}
    assert provider.client.update(context, person["localId"], claims={})
    assert "tenant_id" not in claims_of(provider.refresh(person["refreshToken"]).json()["id_token"])


def test_claims_that_no_account_can_have(provider: Provider, context: Context) -> None:
    person = provider.signed_up()
    for claims, code in (({"sub": "x"}, "FORBIDDEN_CLAIM"), ({"x": "y" * 1000}, "CLAIMS_TOO_LARGE")):
        with pytest.raises(IdentityRefused) as refusal:
            provider.client.update(context, person["localId"], claims=claims)
        assert refusal.value.code == code
    body = {"idToken": person["idToken"], "customAttributes": "{}"}
    assert provider.refused("accounts:update", body) == "INSUFFICIENT_PERMISSION"


def test_ended_sessions_are_refused(provider: Provider, context: Context) -> None:
    person = provider.signed_up()
    later = int(time.time()) + 5
    assert provider.client.update(context, person["localId"], valid_since=later)
    account = provider.client.account(context, person["localId"])
    assert account is not None
    assert account.valid_since == later
    assert provider.refused("accounts:lookup", {"idToken": person["idToken"]}) == "TOKEN_EXPIRED"


def test_a_deleted_account_is_gone(provider: Provider, context: Context) -> None:
    person = provider.signed_up()
    assert provider.client.delete(context, person["localId"])
    assert provider.client.account(context, person["localId"]) is None
    assert not provider.client.update(context, person["localId"], claims={})
    assert not provider.client.delete(context, person["localId"])
    assert provider.refused("accounts:update", {"localId": person["localId"]}, owner=True) == "USER_NOT_FOUND"


def test_the_owner_makes_verified_accounts(provider: Provider, context: Context) -> None:
    email = f"{uuid.uuid4().hex}@example.com"
    body = {"localId": uuid.uuid4().hex, "email": email, "emailVerified": True, "password": "correct horse"}
    made = provider.call("accounts", body, owner=True)
    assert made["localId"] == body["localId"]
    account = provider.client.account(context, str(body["localId"]))
    assert account is not None
    assert (account.email, account.email_verified, account.disabled) == (email, True, False)
    signed_in = provider.call("accounts:signInWithPassword", {"email": email, "password": "correct horse"})
    assert claims_of(signed_in["idToken"])["email_verified"] is True
    provider.call("accounts:update", {"localId": body["localId"], "disableUser": True}, owner=True)
    refused = provider.refused("accounts:signInWithPassword", {"email": email, "password": "correct horse"})
    assert refused == "USER_DISABLED"


def test_only_the_owner_calls_for_the_project(provider: Provider) -> None:
    address = f"{provider.root}{TOOLKIT}/v1/projects/{PROJECT}/accounts:lookup"
    assert requests.post(address, json={"localId": ["x"]}, timeout=20).status_code == 403


# ---------------------------------------------------------------------- of ours alone


def test_refresh_tokens_end_with_the_sessions() -> None:
    """Google's emulator lets them live; the cloud does not, and that is what we rely on."""
    now = 1_000_000.0
    accounts = Accounts(PROJECT, clock=lambda: now)
    person = accounts.call("accounts:signUp", {"email": "a@example.com", "password": "correct horse"}, is_owner=False)
    refresh = {"grant_type": "refresh_token", "refresh_token": person["refreshToken"]}
    assert accounts.call("token", refresh, is_owner=False)["user_id"] == person["localId"]
    accounts.call("accounts:update", {"localId": person["localId"], "validSince": str(int(now) + 1)}, is_owner=True)
    with pytest.raises(Exception, match="TOKEN_EXPIRED"):
        accounts.call("token", refresh, is_owner=False)


def test_accounts_are_kept_between_runs(tmp_path: Any) -> None:
    file = tmp_path / "accounts.json"
    body = {"email": "a@example.com", "password": "correct horse"}
    Accounts(PROJECT, file).call("accounts:signUp", body, is_owner=False)
    assert "correct horse" not in file.read_text()
    again = Accounts(PROJECT, file).call("accounts:signInWithPassword", body, is_owner=False)
    assert again["email"] == "a@example.com"


def test_a_provider_that_is_away_is_said_to_be(context: Context) -> None:
    server = AccountsServer(Accounts(PROJECT))
    server.start()
    toolkit = server.toolkit
    server.stop()
    hurried = Context(
        function="tests",
        tenant_id="acme",
        principal=context.principal,
        clients=context.clients,
        deadline=Deadline.after(3),
    )
    with pytest.raises(Unavailable) as away:
        IdentityProvider(toolkit, PROJECT, Owner()).account(hurried, "somebody")
    assert away.value.dependency == "identity"


def test_the_cloud_speaks_to_its_provider_by_https_only() -> None:
    """Who could turn the address elsewhere would be handed a token that administers accounts."""
    cloud = Settings.from_environment({"GOOGLE_CLOUD_PROJECT": "p"})
    assert cloud.identity_url == "https://identitytoolkit.googleapis.com"
    with pytest.raises(ConfigurationError, match="https"):
        Settings.from_environment({"GOOGLE_CLOUD_PROJECT": "p", "XYNERGY_IDENTITY_URL": "http://127.0.0.1:1"})
    local = Settings.from_environment({"GOOGLE_CLOUD_PROJECT": "p", "XYNERGY_ENVIRONMENT": "local"})
    assert local.identity_url == ""
