"""The state of a link under way: what must be remembered between two visits of a browser that carries no credential.

A state is 256 random bits, stored as a hash with the PKCE verifier and the nonce sealed, for ten minutes and for one
use. Used and expired states are remembered for a day, so that a replay is told apart from nonsense.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from common import technical
from common.context import Context
from common.crypto import envelope
from common.errors import BadRequest, Conflict
from common.identifiers import digest
from common.tenants.accounts.models import ProviderName

LIFETIME = timedelta(minutes=10)
REMEMBERED = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A link under way.

    Attributes:
        tenant_id: The tenant.
        user_id: Who links.
        provider: With whom.
        scopes: What is asked for, with what is always asked for.
        redirect: Where the browser goes in the end.
        verifier: PKCE's secret (RFC 7636).
        nonce: What the ID token must repeat.
    """

    tenant_id: str
    user_id: str
    provider: ProviderName
    scopes: list[str]
    redirect: str | None
    verifier: str = field(repr=False)
    nonce: str = field(repr=False)


def begin(
    context: Context, provider: ProviderName, scopes: list[str], redirect: str | None
) -> tuple[str, State, datetime]:
    """Store a new state of the caller; return its text, itself and its end.

    Raises:
        Unavailable: Firestore or the tenant's key cannot be had at the moment.
    """
    text, now = secrets.token_urlsafe(32), datetime.now(UTC)
    state = State(
        tenant_id=context.tenant_id,
        user_id=context.principal.id,
        provider=provider,
        scopes=scopes,
        redirect=redirect,
        verifier=secrets.token_urlsafe(48),
        nonce=secrets.token_urlsafe(24),
    )
    name = digest(text)
    fields: dict[str, Any] = {
        "tenant_id": state.tenant_id,
        "user_id": state.user_id,
        "provider": provider,
        "scopes": scopes,
        "redirect": redirect,
        "verifier": envelope.seal(context, state.verifier.encode(), associated=_place(name, "verifier")),
        "nonce": envelope.seal(context, state.nonce.encode(), associated=_place(name, "nonce")),
        "created_at": now,
        "valid_until": now + LIFETIME,
        "used_at": None,
        "expires_at": now + REMEMBERED,
    }
    technical.changed(context, _path(name), lambda _: (fields, None))
    return text, state, fields["valid_until"]


def use(context: Context, text: str, now: datetime | None = None) -> State:
    """Return the link under way that a state stands for, once.

    Args:
        context: Circumstances; a callback has no tenant yet.
        text: The state.
        now: The time to go by; None for the present.

    Raises:
        BadRequest: ``state_unknown``, or ``state_expired``.
        Conflict: ``state_used``: somebody has come with it before.
        Unavailable: Firestore or the tenant's key cannot be had at the moment.
    """
    name, now = digest(text), now or datetime.now(UTC)

    def take(found: dict[str, Any] | None) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        if found is None or found["used_at"] is not None or found["valid_until"] <= now:
            return None, found
        return {**found, "used_at": now}, {**found, "taken": True}

    found = technical.changed(context, _path(name), take)
    if found is None:
        raise BadRequest("state_unknown", "Nobody began to link an account with this state.", audited=True)
    if found["used_at"] is not None:
        raise Conflict("state_used", "This state was used already; begin again.", audited=str(found["tenant_id"]))
    if "taken" not in found:
        raise BadRequest("state_expired", "It took longer than ten minutes; begin again.")
    return _opened(context.for_tenant(found["tenant_id"]), name, found)


def challenge(verifier: str) -> str:
    """Return the PKCE challenge of a verifier, method S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _opened(context: Context, name: str, found: dict[str, Any]) -> State:
    return State(
        tenant_id=found["tenant_id"],
        user_id=found["user_id"],
        provider=found["provider"],
        scopes=found["scopes"],
        redirect=found["redirect"],
        verifier=envelope.opened(context, found["verifier"], associated=_place(name, "verifier")).decode(),
        nonce=envelope.opened(context, found["nonce"], associated=_place(name, "nonce")).decode(),
    )


def _path(name: str) -> str:
    return f"{technical.OAUTH_STATES.path}/{name}"


def _place(name: str, field_name: str) -> str:
    return envelope.place("oauth_state", name, field_name)
