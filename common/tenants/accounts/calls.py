"""Calls of a provider: bounded in bytes and time, and told apart by what trying again would do.

Nothing of an answer but the provider's own error code reaches an error or a log: answers hold tokens.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from common import fetch
from common.context import Context
from common.errors import Unavailable, XynergyError
from common.fetch import FetchFailed, FetchRefused
from common.logs import logger
from common.tenants.accounts.providers import Client

LIMITS = fetch.Limits(max_bytes=131_072, seconds=10, redirects=0)
LONGEST_TOKEN = 16_384
"""Characters of a token; Microsoft's have some thousands."""
SHORTEST_LIFE, LONGEST_LIFE = 0, 31_536_000
CODE = re.compile(r"[a-z0-9_.-]{1,60}")


class ProviderRefused(XynergyError):
    """The provider understood the call and refuses it; trying again does not help.

    Attributes:
        code: The provider's own code, such as ``invalid_grant``.
    """

    def __init__(self, code: str) -> None:
        super().__init__(f"the provider refuses: {code}")
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """What a provider gave.

    Attributes:
        access_token: For calls in the person's name.
        refresh_token: For the next access token; None where it gave none.
        id_token: Who the person is; None where it was not asked for.
        token_type: How the access token is presented.
        scopes: What was granted; None where the answer does not say, which means all that was asked for.
        expires_at: When the access token ends.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    id_token: str | None = field(repr=False)
    token_type: str
    scopes: list[str] | None
    expires_at: datetime


def exchange(context: Context, client: Client, *, code: str, verifier: str) -> Tokens:
    """Return the tokens for an authorization code.

    Raises:
        ProviderRefused: The code is wrong, used or too old, or was issued for another verifier.
        Unavailable: The provider does not answer, or not sensibly.
    """
    return _tokens(
        context,
        client,
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.callback,
            "code_verifier": verifier,
        },
    )


def refresh(context: Context, client: Client, refresh_token: str) -> Tokens:
    """Return new tokens for a refresh token.

    Raises:
        ProviderRefused: ``invalid_grant``: the person took the consent back, or it ended.
        Unavailable: The provider does not answer, or not sensibly, or refuses this deployment as such.
    """
    return _tokens(context, client, {"grant_type": "refresh_token", "refresh_token": refresh_token})


def revoke(context: Context, client: Client, token: str) -> bool:
    """Give a token back; tell whether the provider does not know it any more (True where it offers no revocation).

    Raises:
        Unavailable: The provider does not answer.
    """
    if client.provider.revocation is None:
        return True
    answer = _posted(context, client, client.provider.revocation, {"token": token})
    if answer.status >= 500 or answer.status == 429:
        raise Unavailable(client.provider.name, f"{client.provider.name} answers {answer.status}")
    # RFC 7009: 200 also for a token that is unknown; Google says 400 then.
    return answer.status in {200, 400}


def userinfo(context: Context, client: Client, access_token: str) -> Mapping[str, Any]:
    """Return the claims of the person that a token is of.

    Raises:
        Unavailable: The provider does not answer, or not sensibly.
    """
    headers = {"authorization": f"Bearer {access_token}", "accept": "application/json"}
    try:
        answer = fetch.get(context, client.provider.userinfo, limits=LIMITS, headers=headers)
    except (FetchFailed, FetchRefused) as error:
        raise _away(client, error.code) from None
    found = _json(answer.body)
    if answer.status != 200 or found is None:
        raise _away(client, f"status {answer.status}")
    return found


def claims_of(id_token: str) -> Mapping[str, Any] | None:
    """Return the claims of an ID token, or None where it is none.

    Its signature is not checked: it came from the token endpoint itself over a connection whose certificate was
    (OpenID Connect Core 1.0, 3.1.3.7, 6).
    """
    parts = id_token.split(".")
    if len(parts) != 3:
        return None
    try:
        return _json(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None


def _tokens(context: Context, client: Client, form: Mapping[str, str]) -> Tokens:
    called_at = datetime.now(UTC)
    credentials = {"client_id": client.client_id, "client_secret": client.client_secret}
    answer = _posted(context, client, client.provider.token, {**form, **credentials})
    found = _json(answer.body)
    if answer.status == 200 and found is not None:
        tokens = _read(found, called_at)
        if tokens is None:
            raise _away(client, "an answer without a token")
        return tokens
    error = None if found is None else found.get("error")
    code = error if isinstance(error, str) and CODE.fullmatch(error) else "unknown"
    if answer.status in {400, 401, 403} and code == "invalid_grant":
        raise ProviderRefused(code)
    if answer.status < 500 and answer.status != 429:
        # Not the person's token is wrong but this deployment's registration: nothing may be lost for it.
        logger(context).error("an OAuth client is refused", provider=client.provider.name, code=code)
    raise _away(client, f"status {answer.status}, {code}")


def _posted(context: Context, client: Client, url: str, form: Mapping[str, str]) -> fetch.Fetched:
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    try:
        return fetch.post(context, url, urlencode(form).encode(), limits=LIMITS, headers=headers)
    except (FetchFailed, FetchRefused) as error:
        raise _away(client, error.code) from None


def _away(client: Client, why: str) -> Unavailable:
    return Unavailable(client.provider.name, f"{client.provider.name} gives no usable answer ({why})")


def _json(body: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _read(found: Mapping[str, Any], called_at: datetime) -> Tokens | None:
    """Return the tokens of an answer, or None where it is none."""
    texts = {name: found.get(name) for name in ("access_token", "refresh_token", "id_token", "scope", "token_type")}
    given = {name: text for name, text in texts.items() if text is not None}
    if any(not isinstance(text, str) or not 0 < len(text) <= LONGEST_TOKEN for text in given.values()):
        return None
    seconds = found.get("expires_in", 3600)
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit():
        seconds = int(seconds[:10])
    if "access_token" not in given or isinstance(seconds, bool) or not isinstance(seconds, int):
        return None
    life = timedelta(seconds=min(max(seconds, SHORTEST_LIFE), LONGEST_LIFE))
    return Tokens(
        access_token=given["access_token"],
        refresh_token=given.get("refresh_token"),
        id_token=given.get("id_token"),
        token_type=given.get("token_type", "Bearer"),
        scopes=given["scope"].split() if "scope" in given else None,
        expires_at=called_at + life,
    )
