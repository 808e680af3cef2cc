"""The identity of our own deliveries: events, schedules and tasks come with an OIDC token of the function's invoker.

On Cloud Run the functions that take deliveries are private: Google's front end has verified the token against IAM
before the request reaches us, and replaced its signature by a fixed text. What is left to check are the claims: that
the caller is the invoker of *this* function and not of another one. A token that still has its signature was not
verified by the front end (the service would be public), so it is verified here. The local cloud mints unsigned tokens,
which only a local environment accepts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from common.context import Principal
from common.errors import ConfigurationError, Forbidden, Unavailable
from common.settings import Settings
from common.tokens import LEEWAY, VERIFIED_BY_PLATFORM, Token, check_times, read_token, unauthenticated, unsigned_token

ISSUERS = ("https://accounts.google.com", "accounts.google.com")
LOCAL_LIFETIME = 3600
"""Seconds a locally minted token is valid, as Google's are."""


def verify_invoker(settings: Settings, headers: Mapping[str, str], function: str) -> Principal:
    """Return the identity that delivered an event to a function.

    Args:
        settings: The deployment; ``invoker`` and ``function_url`` are templates with ``{function}``.
        headers: Request headers.
        function: Name of the function that received the delivery.

    Raises:
        Unauthenticated: ``credential_missing``, ``credential_invalid`` or ``credential_expired``.
        Forbidden: ``invoker_not_allowed``; a valid token of somebody else.
        ConfigurationError: The deployment names no invoker or function address.
        Unavailable: A signature cannot be checked now.
    """
    if not settings.invoker or not settings.function_url:
        raise ConfigurationError("XYNERGY_INVOKER and XYNERGY_FUNCTION_URL must be set to take deliveries")
    text = _bearer(headers)
    token = read_token(text)
    claims = token.claims
    # Before the signature: the library that checks it does not tell an expired token from a forged one.
    check_times(claims, now=time.time())
    _check_signature(settings, token, text)
    if claims.get("iss") not in ISSUERS:
        raise unauthenticated("credential_invalid", "The token is not Google's")
    url = settings.function_url.replace("{function}", function)
    if not _is_for(claims.get("aud"), url) and not (
        token.signature == VERIFIED_BY_PLATFORM and _is_on_cloud_run(claims.get("aud"), function)
    ):
        raise unauthenticated("credential_invalid", "The token was issued for another audience")
    email = claims.get("email")
    if email != settings.invoker_of(function) or claims.get("email_verified") is not True:
        raise Forbidden("invoker_not_allowed", "This identity may not deliver to this function")
    return Principal(kind="service", id=str(email), role="service")


def mint_local_token(email: str, audience: str) -> str:
    """Return an unsigned token with the claims of Google's, for the local cloud's deliveries.

    Args:
        email: Service account the delivery is made as.
        audience: Address of the function.
    """
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUERS[0],
        "aud": audience,
        "sub": email,
        "email": email,
        "email_verified": True,
        "iat": now,
        "exp": now + LOCAL_LIFETIME,
    }
    return unsigned_token(claims)


def _bearer(headers: Mapping[str, str]) -> str:
    authorization = headers.get("Authorization") or headers.get("authorization") or ""
    scheme, _, text = authorization.strip().partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise unauthenticated("credential_missing", "Deliveries carry the token of their service identity")
    return text.strip()


def _check_signature(settings: Settings, token: Token, text: str) -> None:
    if settings.is_local:
        if not token.is_unsigned:
            raise unauthenticated("credential_invalid", "The local cloud takes its own tokens only")
        return
    if token.header.get("alg") != "RS256":
        raise unauthenticated("credential_invalid", "The token is not signed as Google signs")
    if token.signature != VERIFIED_BY_PLATFORM:
        _verify(text)


def _verify(text: str) -> None:
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.auth.transport.requests import Request
    from google.oauth2.id_token import verify_token

    try:
        verify_token(text, Request(), clock_skew_in_seconds=LEEWAY)
    except TransportError as error:
        raise Unavailable("google", "Google's certificates cannot be fetched") from error
    except (GoogleAuthError, ValueError):
        raise unauthenticated("credential_invalid", "The token's signature is not Google's") from None


def _is_for(audience: object, url: str) -> bool:
    """Tell whether an audience is the function's address or one below it (Pub/Sub uses the full push endpoint)."""
    address = url.rstrip("/")
    return isinstance(audience, str) and (audience.rstrip("/") == address or audience.startswith(f"{address}/"))


def _is_on_cloud_run(audience: object, function: str) -> bool:
    """Tell whether an audience is one of the addresses Cloud Run gives a service.

    A service has two, and Eventarc uses the one with a hash, which nobody knows before the first deployment. Only for
    tokens that the front end has verified: it holds the audience against the service's own addresses.
    """
    if not isinstance(audience, str):
        return False
    address = urlsplit(audience)
    host = address.hostname or ""
    return address.scheme == "https" and host.startswith(f"{function}-") and host.endswith(".run.app")
