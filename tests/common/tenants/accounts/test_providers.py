"""Providers as declared, and the deployment's registration with them as it may be written."""

from __future__ import annotations

import json
from typing import Any, get_args
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.clients.registry import Clients
from common.context import Context, Principal
from common.errors import ConfigurationError
from common.settings import Settings
from common.tenants.accounts import calls, states
from common.tenants.accounts.models import ProviderName
from common.tenants.accounts.providers import PROVIDERS, client_of, registrations

GOOGLE = {"client_id": "id", "client_secret": "planted-secret"}
CALLBACK = "https://api.example/v1/accounts/callback"


def settings(clients: object, environment: str = "cloud") -> Settings:
    text = clients if isinstance(clients, str) else json.dumps(clients)
    return Settings.from_environment(
        {"GOOGLE_CLOUD_PROJECT": "p", "XYNERGY_ENVIRONMENT": environment, "XYNERGY_OAUTH_CLIENTS": text}
    )


def context(clients: object) -> Context:
    return Context(
        function="test",
        tenant_id="acme",
        principal=Principal(kind="service", id="t"),
        clients=Clients(settings(clients)),
    )


def test_every_provider_is_called_over_tls_and_asks_for_access_while_people_are_away() -> None:
    assert PROVIDERS.keys() == set(get_args(ProviderName))
    for name, provider in PROVIDERS.items():
        assert provider.name == name
        addresses = [provider.authorization, provider.token, provider.userinfo, provider.revocation]
        assert all(urlsplit(address).scheme == "https" for address in addresses if address is not None)
        assert "openid" in provider.scopes
        assert "offline_access" in provider.scopes or provider.parameters.get("access_type") == "offline"


def test_the_directory_of_microsoft_is_chosen() -> None:
    entry = {"client_id": "id", "client_secret": "s"}
    clients: dict[str, Any] = {"callback_url": CALLBACK, "microsoft": entry}
    client = client_of(context(clients), "microsoft")
    assert client.provider.token == "https://login.microsoftonline.com/common/oauth2/v2.0/token"
    assert client.callback == CALLBACK
    own = client_of(context({**clients, "microsoft": {**entry, "directory": "example.com"}}), "microsoft")
    assert "/example.com/" in own.provider.authorization
    assert "planted" not in repr(client_of(context({"callback_url": CALLBACK, "google": GOOGLE}), "google"))


@pytest.mark.parametrize(
    "clients",
    [
        "no json",
        "[]",
        {"google": {}},
        {"google": {"client_id": "a"}},
        {"google": {"client_id": "", "client_secret": "planted-secret"}},
        {"google": {"client_id": 7, "client_secret": "planted-secret"}},
        {"myspace": GOOGLE},
        {"callback_url": 7, "google": GOOGLE},
        {"google": "planted-secret"},
        {"google": {**GOOGLE, "url": "https://evil.example"}},
    ],
)
def test_a_broken_registration_is_told_without_its_secret(clients: object) -> None:
    with pytest.raises(ConfigurationError) as error:
        registrations(settings(clients))
    assert "planted" not in str(error.value)
    assert error.value.__cause__ is None or "planted" not in str(error.value.__cause__)


def test_without_a_registration_there_is_none() -> None:
    assert registrations(settings("")).by_provider == {}
    assert registrations(settings({"google": {**GOOGLE, "url": "http://127.0.0.1:1"}}, "local")).callback == ""


@pytest.mark.parametrize(
    ("provider", "asked", "granted", "missing"),
    [
        ("google", ["openid", "email"], ["openid", "https://www.googleapis.com/auth/userinfo.email"], []),
        ("google", ["openid", "https://mail.google.com/"], ["openid"], ["https://mail.google.com/"]),
        ("microsoft", ["openid", "offline_access", "Mail.Read"], ["mail.read"], []),
        ("microsoft", ["https://graph.microsoft.com/Mail.Read"], ["Mail.Read"], []),
        ("microsoft", ["Mail.Read"], ["https://graph.microsoft.com/Mail.Read"], []),
        ("microsoft", ["Mail.Send"], ["Mail.Read", "profile"], ["Mail.Send"]),
    ],
)
def test_what_was_not_granted_is_found(
    provider: ProviderName, asked: list[str], granted: list[str], missing: list[str]
) -> None:
    assert PROVIDERS[provider].missing(asked, granted) == missing


@given(scopes=st.lists(st.from_regex(r"[!#-\[\]-~]{1,20}", fullmatch=True), max_size=6, unique=True))
def test_whatever_is_granted_as_asked_is_never_missing(scopes: list[str]) -> None:
    for provider in PROVIDERS.values():
        assert provider.missing(scopes, scopes) == []
        assert set(provider.missing(scopes, [])) == set(scopes) - provider.unreported


def test_the_challenge_is_the_standards_own_example() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert states.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@given(text=st.text(max_size=200))
def test_no_text_breaks_the_reading_of_an_id_token(text: str) -> None:
    found = calls.claims_of(text)
    assert found is None or isinstance(found, dict)
