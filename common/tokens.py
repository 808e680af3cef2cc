"""JSON Web Tokens as far as we handle them ourselves: reading their parts, times, and the local cloud's unsigned ones.

Signatures are never checked here: the callers say who has checked them (Google's front end, ``firebase_admin``), or
that nobody has to (the local cloud).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import Unauthenticated

VERIFIED_BY_PLATFORM = "SIGNATURE_REMOVED_BY_GOOGLE"
"""What Cloud Run puts in the place of a signature it has verified."""

LEEWAY = 10
"""Seconds by which the issuer's clock and ours may differ."""


def unauthenticated(code: str, detail: str) -> Unauthenticated:
    """Return the 401 of RFC 6750: a request without any credential is told the scheme only."""
    challenge = 'Bearer realm="xynergy"'
    if code != "credential_missing":
        challenge += f', error="invalid_token", error_description="{detail}"'
    return Unauthenticated(code, detail, headers={"WWW-Authenticate": challenge})


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A token taken apart.

    Attributes:
        header: Such as ``{"alg": "RS256", "kid": ...}``.
        claims: The payload.
        signature: Third part, as written; empty where the token is unsigned.
    """

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signature: str

    @property
    def is_unsigned(self) -> bool:
        """Whether the token says itself that nobody has signed it."""
        return self.header.get("alg") == "none" and not self.signature


def read_token(text: str) -> Token:
    """Take a token apart.

    Raises:
        Unauthenticated: ``credential_invalid``; the text is no token.
    """
    parts = text.split(".")
    try:
        header, claims = (json.loads(_decoded(part)) for part in parts[:2])
    except (ValueError, RecursionError):
        raise unauthenticated("credential_invalid", "The token cannot be read") from None
    if len(parts) != 3 or not isinstance(header, dict) or not isinstance(claims, dict):
        raise unauthenticated("credential_invalid", "The token cannot be read")
    return Token(header=header, claims=claims, signature=parts[2])


def unsigned_token(claims: Mapping[str, Any]) -> str:
    """Return an unsigned token (RFC 7515 appendix A.5), which only a local environment accepts."""
    return f"{_encoded({'alg': 'none', 'typ': 'JWT'})}.{_encoded(claims)}."


def check_times(claims: Mapping[str, Any], *, now: float) -> None:
    """Refuse a token that is over or has not begun.

    Args:
        claims: The token's payload; ``exp`` and ``iat`` are required, ``nbf`` and ``auth_time`` are checked if present.
        now: Seconds since the epoch.

    Raises:
        Unauthenticated: ``credential_expired``, or ``credential_invalid`` where a time is missing or in the future.
    """
    if _time(claims, "exp") <= now - LEEWAY:
        raise unauthenticated("credential_expired", "The token has expired")
    begins = ["iat", *(name for name in ("nbf", "auth_time") if name in claims)]
    if any(_time(claims, name) > now + LEEWAY for name in begins):
        raise unauthenticated("credential_invalid", "The token is not valid yet")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    # json reads NaN, which compares false with everything and so would pass any check of times.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise unauthenticated("credential_invalid", "The token lacks its times")
    return value


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _encoded(part: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).rstrip(b"=").decode()
