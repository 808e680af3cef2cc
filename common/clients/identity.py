"""The identity provider: Firebase Auth by the REST interface of the Identity Toolkit, four calls of it.

``firebase_admin.auth`` does the same and costs about a second and a half thousand modules to import where ``requests``,
which Google's libraries bring along anyway, costs nothing more; both speak this wire format.
https://cloud.google.com/identity-platform/docs/reference/rest/v1/projects.accounts
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from common.calls import TRANSIENT_STATUSES, retrying
from common.clients.account_token import AccountToken
from common.context import Context
from common.errors import Unavailable, XynergyError
from common.settings import Settings

if TYPE_CHECKING:
    import requests

DEPENDENCY = "identity"
SCOPE = "https://www.googleapis.com/auth/identitytoolkit"
PATIENCE = 10.0
"""Seconds for one call at most."""

MAX_CLAIMS = 1000
"""Bytes of custom claims that an account can have."""


class IdentityRefused(XynergyError):
    """The provider understood a call and refuses it; trying again does not help.

    Attributes:
        code: The provider's own word, such as ``INVALID_CLAIMS``.
    """

    def __init__(self, code: str) -> None:
        super().__init__(f"the identity provider refuses: {code}")
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """An account at the provider.

    Attributes:
        user_id: Id.
        email: E-mail address; None for an account without one.
        email_verified: Whether the provider has seen the person use it.
        claims: Custom claims that go into ID tokens.
        valid_since: Sign-ins before this moment (seconds since the epoch) are refused a new ID token.
        disabled: Whether the account may not sign in.
    """

    user_id: str
    email: str | None
    email_verified: bool
    claims: Mapping[str, Any] = field(default_factory=dict)
    valid_since: int = 0
    disabled: bool = False


class Authorization(Protocol):
    """Says who calls."""

    def headers(self) -> Mapping[str, str]:
        """Return the header fields that a call carries."""
        ...


class Owner:
    """Whom the local servers take for the project's owner, as Google's emulators do."""

    def headers(self) -> Mapping[str, str]:
        """Return the fixed token."""
        return {"authorization": "Bearer owner"}


class IdentityProvider:
    """The provider's accounts of one project; thread-safe.

    Args:
        address: Address of the Identity Toolkit.
        project: Google Cloud project id.
        authorization: Says who calls.
    """

    def __init__(self, address: str, project: str, authorization: Authorization) -> None:
        self._accounts = f"{address.rstrip('/')}/v1/projects/{quote(project, safe='')}/accounts"
        self._authorization = authorization
        self._local = threading.local()

    def account(self, context: Context, user_id: str) -> Account | None:
        """Return an account, or None where there is none.

        Raises:
            Unavailable: The provider does not answer.
        """
        found = self._call(context, "lookup", {"localId": [user_id]})
        users = (found or {}).get("users") or []
        return _account(users[0]) if users else None

    def update(
        self,
        context: Context,
        user_id: str,
        *,
        claims: Mapping[str, Any] | None = None,
        valid_since: int | None = None,
    ) -> bool:
        """Set an account's custom claims, and end its sessions; tell whether there is such an account.

        Args:
            context: Carries the deadline.
            user_id: The account.
            claims: All custom claims from now on, at most ``MAX_CLAIMS`` bytes of JSON; None leaves them.
            valid_since: Refresh tokens of sign-ins before this moment (seconds since the epoch) end; None leaves them.

        Raises:
            Unavailable: The provider does not answer.
        """
        body: dict[str, Any] = {"localId": user_id}
        if claims is not None:
            body["customAttributes"] = json.dumps(claims, separators=(",", ":"))
        if valid_since is not None:
            body["validSince"] = str(valid_since)
        return self._call(context, "update", body) is not None

    def delete(self, context: Context, user_id: str) -> bool:
        """Delete an account for good; tell whether there was one.

        Raises:
            Unavailable: The provider does not answer.
        """
        return self._call(context, "delete", {"localId": user_id}) is not None

    def _call(self, context: Context, method: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the answer of a call, or None where the account it names does not exist."""
        return retrying(context, DEPENDENCY, lambda: self._answer(context, method, body))

    def _answer(self, context: Context, method: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        import requests

        timeout = context.deadline.timeout(PATIENCE, DEPENDENCY)
        headers = dict(self._authorization.headers())
        try:
            answer = self._session().post(f"{self._accounts}:{method}", json=body, headers=headers, timeout=timeout)
            told = answer.json()
        except requests.RequestException as error:
            raise Unavailable(DEPENDENCY, f"the identity provider gives no answer ({type(error).__name__})") from error
        if answer.status_code == 200:
            return dict(told)
        code = str(told.get("error", {}).get("message", "")).partition(" ")[0]
        if code == "USER_NOT_FOUND":
            return None
        if answer.status_code in TRANSIENT_STATUSES:
            raise Unavailable(DEPENDENCY, f"the identity provider answers {answer.status_code}")
        raise IdentityRefused(code or str(answer.status_code))

    def _session(self) -> requests.Session:
        """Return this thread's session, which keeps its connection."""
        import requests

        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
        return session


def identity_provider(settings: Settings) -> IdentityProvider:
    """Build the provider of one process (a factory for ``Clients.get``)."""
    authorization: Authorization = Owner() if settings.is_local else AccountToken(SCOPE, DEPENDENCY)
    return IdentityProvider(settings.identity_url, settings.project, authorization)


def _account(found: Mapping[str, Any]) -> Account:
    return Account(
        user_id=str(found["localId"]),
        email=found.get("email") or None,
        email_verified=bool(found.get("emailVerified")),
        claims=json.loads(found.get("customAttributes") or "{}"),
        valid_since=int(found.get("validSince") or 0),
        disabled=bool(found.get("disabled")),
    )
