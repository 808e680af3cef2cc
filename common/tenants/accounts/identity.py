"""Who the person is that a provider sent back: the claims of the ID token, checked as OpenID Connect asks.

See OpenID Connect Core 1.0, 3.1.3.7. Microsoft's ``email`` is whatever the owner of a directory wrote there, so an
account is known by its subject alone and the address only shown.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.context import Context
from common.errors import Unprocessable
from common.tenants.accounts import calls
from common.tenants.accounts.calls import Tokens
from common.tenants.accounts.providers import Client

LEEWAY = 60
"""Seconds by which the provider's clock and ours may differ."""
OLDEST = 600
"""Seconds since an ID token was issued; it has just been asked for."""
LONGEST = 320


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """An account as the provider knows it.

    Attributes:
        provider_account_id: Its subject.
        email: Its address.
        name: Its name.
    """

    provider_account_id: str
    email: str | None
    name: str | None


def identified(context: Context, client: Client, tokens: Tokens, nonce: str, *, now: float | None = None) -> Identity:
    """Return whose tokens these are.

    Args:
        context: Circumstances.
        client: What this deployment is to the provider.
        tokens: What the code was exchanged for.
        nonce: What the ID token must repeat.
        now: Seconds since the epoch; None for the present.

    Raises:
        Unprocessable: ``id_token_missing``, ``id_token_invalid``, ``id_token_expired``, ``issuer_mismatch``,
            ``audience_mismatch``, ``nonce_mismatch`` or ``subject_mismatch``.
        Unavailable: The provider does not answer.
    """
    if tokens.id_token is None:
        raise Unprocessable("id_token_missing", "The provider did not say whose account it is.")
    claims = calls.claims_of(tokens.id_token)
    if claims is None:
        raise Unprocessable("id_token_invalid", "The provider's ID token cannot be read.")
    check(claims, client, nonce, time.time() if now is None else now)
    shown = claims
    if not _text(claims.get("email")):
        shown = calls.userinfo(context, client, tokens.access_token)
        if shown.get("sub") != claims["sub"]:
            raise Unprocessable("subject_mismatch", "The provider's answers are about two accounts.", audited=True)
    subject = ":".join(str(claims[name]) for name in client.provider.subject)
    return Identity(provider_account_id=subject, email=_text(shown.get("email")), name=_text(shown.get("name")))


def check(claims: Mapping[str, Any], client: Client, nonce: str, now: float) -> None:
    """Refuse the claims of an ID token that was not issued for this link.

    Raises:
        Unprocessable: See ``identified``.
    """
    # Whatever does not fit may be an attempt to pass off another token: it belongs into the audit trail.
    issuers = {issuer.replace("{tid}", str(claims.get("tid"))) for issuer in client.provider.issuers}
    if claims.get("iss") not in issuers:
        raise Unprocessable("issuer_mismatch", "The ID token was issued by somebody else.", audited=True)
    audience = claims.get("aud")
    only = audience == [client.client_id] or audience == client.client_id
    several = isinstance(audience, list) and client.client_id in audience and claims.get("azp") == client.client_id
    if not (only or several) or claims.get("azp", client.client_id) != client.client_id:
        raise Unprocessable("audience_mismatch", "The ID token was issued for somebody else.", audited=True)
    if claims.get("nonce") != nonce:
        raise Unprocessable("nonce_mismatch", "The ID token was issued for another sign-in.", audited=True)
    if any(not _subject(claims.get(name)) for name in client.provider.subject):
        raise Unprocessable("id_token_invalid", "The ID token names nobody.")
    expires, issued = _time(claims.get("exp")), _time(claims.get("iat"))
    if expires is None or issued is None:
        raise Unprocessable("id_token_invalid", "The ID token lacks its times.")
    if expires <= now - LEEWAY or issued < now - OLDEST or issued > now + LEEWAY:
        raise Unprocessable("id_token_expired", "The ID token is too old, or not valid yet.")


def _subject(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255 and ":" not in value


def _time(value: object) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable else None  # type: ignore[arg-type]  # checked above


def _text(value: object) -> str | None:
    return value[:LONGEST] if isinstance(value, str) and value.strip() else None
