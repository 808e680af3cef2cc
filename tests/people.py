"""People with ID tokens on the local cloud: members of tenants, and strangers who have an account only."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

import requests

from common.tokens import unsigned_token
from tests.common.security import store_person
from tests.stack import Caller, Stack


@dataclass(frozen=True, kw_only=True)
class PersonHandle:
    """A person made for a test.

    Attributes:
        user_id: Id of the account.
        email: Verified e-mail address.
        client: Calls with an ID token.
    """

    user_id: str
    email: str
    client: Caller


def signed_in(stack: Stack, user_id: str, **claims: Any) -> Caller:
    """Return a caller with an ID token as the provider issues it; claims that are None are left out."""
    now = int(time.time())
    token = {
        "iss": f"https://securetoken.google.com/{stack.settings.project}",
        "aud": stack.settings.project,
        "sub": user_id,
        "auth_time": now,
        "iat": now,
        "exp": now + 3600,
        **claims,
    }
    shown = unsigned_token({name: value for name, value in token.items() if value is not None})
    return Caller(url=stack.url, headers={"Authorization": f"Bearer {shown}"})


def member(stack: Stack, tenant_id: str, role: str = "admin", **fields: Any) -> PersonHandle:
    """Make a working person of a tenant."""
    user_id = f"u{uuid.uuid4().hex[:20]}"
    email = f"{user_id}@people.example"
    store_person(stack.clients, tenant_id, user_id, **{"role": role, "email": email, **fields})
    client = signed_in(stack, user_id, tenant_id=tenant_id, role=role, email=email, email_verified=True)
    return PersonHandle(user_id=user_id, email=email, client=client)


def stranger(stack: Stack, email: str | None = None, **claims: Any) -> PersonHandle:
    """Return somebody who has an account and belongs to no tenant."""
    user_id = f"u{uuid.uuid4().hex[:20]}"
    email = email or f"{user_id}@people.example"
    client = signed_in(stack, user_id, **{"email": email, "email_verified": True, **claims})
    return PersonHandle(user_id=user_id, email=email, client=client)


PASSWORD = "correct horse"


class Account:
    """An account at the local identity provider, used as an application uses it.

    Attributes:
        email: E-mail address.
        user_id: Id.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._toolkit = stack.settings.identity_url
        self.email = f"{uuid.uuid4().hex[:20]}@people.example"
        self._issued = self._call("accounts:signUp", {"email": self.email, "password": PASSWORD})
        self.user_id = str(self._issued["localId"])

    def verify(self) -> None:
        """Let the provider vouch for the e-mail address."""
        address = f"{self._toolkit}/v1/projects/{self._stack.settings.project}/accounts:update"
        body = {"localId": self.user_id, "emailVerified": True}
        requests.post(address, json=body, headers={"Authorization": "Bearer owner"}, timeout=20).raise_for_status()

    def sign_in(self) -> None:
        """Sign in."""
        self._issued = self._call("accounts:signInWithPassword", {"email": self.email, "password": PASSWORD})

    def signs_in_and_works(self) -> bool:
        """Sign in and tell whether the new session counts (not within the second in which others were ended)."""
        self.sign_in()
        return self.caller().get("/v1/me").ok

    def signs_in_again(self) -> bool:
        """Sign in and tell whether the new session lasts; see ``signs_in_and_works``."""
        self.sign_in()
        return self.refreshed() == ""

    def refreshed(self) -> str:
        """Refresh the ID token; return why not, or nothing."""
        form = {"grant_type": "refresh_token", "refresh_token": self._issued["refreshToken"]}
        address = self._toolkit.replace("identitytoolkit", "securetoken") + "/v1/token"
        told = requests.post(address, data=form, timeout=20).json()
        if "error" in told:
            return str(told["error"]["message"])
        self._issued |= {"idToken": told["id_token"], "refreshToken": told["refresh_token"]}
        return ""

    def caller(self, *, refresh: bool = True) -> Caller:
        """Return a caller with the account's ID token, a fresh one unless told otherwise."""
        if refresh:
            assert self.refreshed() == ""
        return Caller(url=self._stack.url, headers={"Authorization": f"Bearer {self._issued['idToken']}"})

    def _call(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        body = {**body, "returnSecureToken": True}
        answer = requests.post(f"{self._toolkit}/v1/{method}?key=any", json=body, timeout=20)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found
