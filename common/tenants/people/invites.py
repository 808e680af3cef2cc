"""Invites: made by administrators, accepted by whoever holds the token and the e-mail address.

A token is ``xyi_`` and 43 base64url characters, 256 random bits. Its hash is the id of a technical document that leads
to the tenant and the invite, as with API keys; the token itself is shown once and stored nowhere. The platform sends no
e-mail: the administrator hands the link on.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from common.api_keys import TenantRole
from common.clients.firestore import firestore_client
from common.identifiers import uuid7
from common.store import Work
from common.technical import INVITE_TOKENS
from common.tenants.people.entities import INVITES
from common.tenants.people.models import Invite

LIFETIME = timedelta(days=7)
REMEMBERED = timedelta(days=30)
"""For how long after its expiry a token is still told apart from one that never was."""


def prepare(
    work: Work, *, email: str, role: TenantRole, company_id: str | None = None, name: str | None = None
) -> tuple[Invite, str]:
    """Make an invite within a transaction under way; return it with its token.

    Args:
        work: The transaction; its context has the tenant.
        email: Normalised e-mail address (``common.email_address``).
        role: Role the person will have.
        company_id: Company of the tenant.
        name: Display name.

    The commit raises ``Conflict`` with ``invite_pending`` where the address has a pending invite.
    """
    now = datetime.now(UTC)
    invite = Invite(
        invite_id=str(uuid7()),
        email=email,
        pending_email=email,
        role=role,
        company_id=company_id,
        name=name,
        invited_by=work.context.principal.id,
        created_at=now,
        updated_at=now,
        expires_at=now + LIFETIME,
    )
    work.create(INVITES, invite)
    return invite, _issue(work, invite)


def _issue(work: Work, invite: Invite) -> str:
    """Store the hash of a new token of an invite and return the token."""
    token = f"xyi_{secrets.token_urlsafe(32)}"
    reference = work.context.clients.get(firestore_client).document(token_path(token))
    fields = {
        "tenant_id": work.context.tenant_id,
        "invite_id": invite.invite_id,
        "expires_at": invite.expires_at + REMEMBERED,
    }
    work.write(reference.path, lambda batch: batch.create(reference, fields))
    return token


def token_path(token: str) -> str:
    """Return the path of the technical document of a token."""
    return f"{INVITE_TOKENS.path}/{hashlib.sha256(token.encode()).hexdigest()}"
