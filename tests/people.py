"""People with ID tokens on the local cloud: members of tenants, and strangers who have an account only."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

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
