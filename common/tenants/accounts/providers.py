"""Providers of accounts as declared data, and the clients this deployment is registered as with them.

Sources: Google, "Using OAuth 2.0 for Web Server Applications" and "OpenID Connect"; Microsoft, "OAuth 2.0 authorization
code flow" and "OpenID Connect on the Microsoft identity platform".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from common.context import Context
from common.errors import ConfigurationError, Unprocessable
from common.settings import Settings
from common.tasks import function_url
from common.tenants.accounts.models import ProviderName

CALLBACK = "tenants-account-callback"


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """Where a provider is and what is peculiar to it.

    Attributes:
        name: The provider.
        authorization: Where people are asked.
        token: Where codes and refresh tokens become access tokens.
        revocation: Where a token is given back (RFC 7009); None where there is no such place.
        userinfo: Where the claims of a person are.
        issuers: Who issues its ID tokens; ``{tid}`` stands for the token's own claim of that name.
        subject: Claims that together name the account, for good and unlike any other account.
        scopes: Scopes that are always asked for: the address, the name, and access while the person is away.
        parameters: Further parameters of the authorization request.
        also_called: What the provider's answer calls some scopes.
        unreported: Scopes that are granted without the answer saying so.
    """

    name: ProviderName
    authorization: str
    token: str
    revocation: str | None
    userinfo: str
    issuers: tuple[str, ...]
    subject: tuple[str, ...]
    scopes: tuple[str, ...]
    parameters: Mapping[str, str]
    also_called: Mapping[str, str] = field(default_factory=dict)
    unreported: frozenset[str] = frozenset()

    def missing(self, asked: list[str], granted: list[str]) -> list[str]:
        """Return what was asked for and not granted; letters count as small ones, as Microsoft's scopes need it."""
        given = {scope.lower() for scope in granted}
        given |= {scope.rpartition("/")[2] for scope in given if scope.startswith("https://graph.microsoft.com/")}
        return [
            scope
            for scope in asked
            if scope not in self.unreported
            and not {scope.lower(), self.also_called.get(scope, scope).lower(), _short(scope)} & given
        ]


PROVIDERS: Mapping[ProviderName, Provider] = {
    "google": Provider(
        name="google",
        authorization="https://accounts.google.com/o/oauth2/v2/auth",
        token="https://oauth2.googleapis.com/token",  # noqa: S106  # an address
        revocation="https://oauth2.googleapis.com/revoke",
        userinfo="https://openidconnect.googleapis.com/v1/userinfo",
        issuers=("https://accounts.google.com", "accounts.google.com"),
        subject=("sub",),
        scopes=("openid", "email", "profile"),
        # Google gives a refresh token for offline access, and gives it again only where consent is asked again.
        parameters={"access_type": "offline", "prompt": "consent"},
        also_called={
            "email": "https://www.googleapis.com/auth/userinfo.email",
            "profile": "https://www.googleapis.com/auth/userinfo.profile",
        },
    ),
    "microsoft": Provider(
        name="microsoft",
        authorization="https://login.microsoftonline.com/{directory}/oauth2/v2.0/authorize",
        token="https://login.microsoftonline.com/{directory}/oauth2/v2.0/token",  # noqa: S106  # an address
        revocation=None,
        userinfo="https://graph.microsoft.com/oidc/userinfo",
        issuers=("https://login.microsoftonline.com/{tid}/v2.0",),
        # ``sub`` is unlike any other of the same issuer only, and every directory is an issuer of its own.
        subject=("tid", "sub"),
        scopes=("openid", "email", "profile", "offline_access"),
        parameters={"prompt": "select_account", "response_mode": "query"},
        unreported=frozenset({"openid", "email", "profile", "offline_access"}),
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """What this deployment is to a provider.

    Attributes:
        provider: The provider, with addresses to call.
        client_id: Id of the registration.
        client_secret: Its secret.
        callback: The registered address that the provider sends browsers back to.
    """

    provider: Provider
    client_id: str
    client_secret: str = field(repr=False)
    callback: str


@dataclass(frozen=True, slots=True)
class Registrations:
    """The deployment's clients as they are configured, read once for a process."""

    by_provider: Mapping[str, Mapping[str, str]] = field(repr=False)
    callback: str


def registrations(settings: Settings) -> Registrations:
    """Read ``XYNERGY_OAUTH_CLIENTS`` (a factory for ``Clients.get``).

    A JSON map: ``callback_url``, the address at the front door, and for each provider ``client_id`` and
    ``client_secret``, for Microsoft also ``directory`` (``common`` unless given). On the local cloud ``url`` puts a
    server of one's own in the provider's place.

    Raises:
        ConfigurationError: It cannot be understood; never with what it holds.
    """
    try:
        found: Any = json.loads(settings.oauth_clients or "{}")
        callback = found.pop("callback_url", "")
        complete = all({"client_id", "client_secret"} <= entry.keys() for entry in found.values())
        known = found.keys() <= PROVIDERS.keys() and isinstance(callback, str)
        texts = all(isinstance(value, str) and value for entry in found.values() for value in entry.values())
    except (ValueError, AttributeError, TypeError):
        complete = known = texts = False
    if not (complete and known and texts):
        raise ConfigurationError("XYNERGY_OAUTH_CLIENTS is no map of providers to client_id and client_secret")
    if not settings.is_local and any("url" in entry for entry in found.values()):
        raise ConfigurationError("XYNERGY_OAUTH_CLIENTS replaces a provider outside the local cloud")
    return Registrations(found, callback)


def client_of(context: Context, provider: ProviderName) -> Client:
    """Return what this deployment is to a provider.

    Raises:
        Unprocessable: ``provider_not_configured``.
        ConfigurationError: The configuration cannot be understood, or names no address to come back to.
    """
    configured = context.clients.get(registrations)
    entry = configured.by_provider.get(provider)
    if entry is None:
        raise Unprocessable("provider_not_configured", f"This deployment is not registered with {provider}.")
    return Client(
        provider=_addressed(PROVIDERS[provider], entry),
        client_id=entry["client_id"],
        client_secret=entry["client_secret"],
        callback=configured.callback or function_url(context, CALLBACK),
    )


def _addressed(provider: Provider, entry: Mapping[str, str]) -> Provider:
    """Return the provider with its addresses filled in."""
    if "url" in entry:
        base = f"{entry['url']}/{provider.name}"
        return replace(
            provider,
            authorization=f"{base}/authorize",
            token=f"{base}/token",
            revocation=None if provider.revocation is None else f"{base}/revoke",
            userinfo=f"{base}/userinfo",
            issuers=tuple(base + urlsplit(issuer).path for issuer in provider.issuers if "://" in issuer),
        )
    directory = entry.get("directory", "common")
    return replace(
        provider,
        authorization=provider.authorization.replace("{directory}", directory),
        token=provider.token.replace("{directory}", directory),
    )


def _short(scope: str) -> str:
    """Return what Microsoft Graph calls a scope that was asked for by its whole name."""
    return scope.removeprefix("https://graph.microsoft.com/").lower()
