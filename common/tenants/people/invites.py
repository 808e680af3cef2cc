"""Invites: made by administrators, accepted by whoever holds the token and the e-mail address.

A token is ``xyi_`` and 43 base64url characters, 256 random bits. Its hash is the id of a technical document that leads
to the tenant and the invite, as with API keys; the token itself is shown once and stored nowhere. The platform sends no
e-mail: the administrator hands the link on.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud.firestore_v1.base_query import FieldFilter

from common.answers import Answer, Page, Record
from common.api_keys import TenantRole
from common.auth import require_working_tenant
from common.clients.firestore import firestore_client
from common.context import Context, Profile
from common.email_address import normalised_email
from common.errors import Conflict, Forbidden, NotFound, Unprocessable
from common.firestore_calls import bounded, translated
from common.identifiers import uuid7
from common.people import forget_person
from common.quotas import check
from common.store import Repository, Work, transact, write_record
from common.technical import INVITE_TOKENS, read, read_many
from common.tenants.companies.membership import require_company
from common.tenants.people.entities import INVITES, USERS
from common.tenants.people.models import (
    Invite,
    InviteAccept,
    InviteCreate,
    InviteCreated,
    InviteListQuery,
    InviteView,
    User,
)
from common.tenants.people.users import already
from common.transaction import Write

LIFETIME = timedelta(days=7)
REMEMBERED = timedelta(days=30)
"""For how long after its expiry a token is still told apart from one that never was."""


def create(context: Context, body: InviteCreate) -> Answer[InviteCreated]:
    """Invite somebody and return the token, this one time.

    The answer is marked as secret: a repetition with the same ``Idempotency-Key`` is told that it was made and where,
    not the token; ``resend`` makes another one.

    Raises:
        Conflict: ``invite_pending``; ``already_member``: somebody with that address belongs to the tenant.
        Forbidden: ``role_exceeds_own``; ``quota_exceeded``.
        Unprocessable: ``company_not_found`` or ``company_archived``.
    """
    _check_grant(context, body.role)
    check(context, "users")

    def work(work: Work) -> Answer[InviteCreated]:
        if work.select(USERS, [("email", "==", body.email)], limit=1):
            raise Conflict("already_member", "Somebody with this e-mail address belongs to the tenant already.")
        if body.company_id is not None:
            require_company(work, body.company_id)
        _end_expired(work, body.email)
        invite, token = prepare(work, email=body.email, role=body.role, company_id=body.company_id, name=body.name)
        return _shown_once(invite, token, status=201)

    return transact(context, work)


def listed(context: Context, query: InviteListQuery) -> Page[InviteView]:
    """Return a page of the tenant's invites, newest first.

    Those of the status ``pending`` include the ones whose time has passed, each shown as ``expired``, until something
    is done about them.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    filters = [] if query.status is None else [("status", "==", query.status)]
    page = Repository(INVITES, context).page(filters, limit=query.limit, cursor=query.cursor)
    return Page(items=[shown(invite) for invite in page.items], next_cursor=page.next_cursor)


def get(context: Context, invite_id: str) -> Record[InviteView]:
    """Return an invite.

    Raises:
        NotFound: ``invite_not_found``.
    """
    record = Repository(INVITES, context).get(invite_id)
    return Record(value=shown(record.value), update_time=record.update_time)


def revoke(context: Context, invite_id: str) -> None:
    """Refuse an invite from now on. Revoking it twice, or one that has expired, changes nothing more.

    Raises:
        NotFound: ``invite_not_found``.
        Conflict: ``invite_used``: it was accepted; remove the person instead.
    """

    def work(work: Work) -> None:
        record = work.get_for_update(INVITES, invite_id)
        if record.value.status == "accepted":
            raise Conflict("invite_used", "The invite was accepted already; remove the person instead.")
        ended = {"status": "revoked", "pending_email": None, "updated_at": datetime.now(UTC)}
        if record.value.status == "pending":
            work.update(INVITES, record, record.value.model_copy(update=ended))

    transact(context, work)


def resend(context: Context, invite_id: str) -> Answer[InviteCreated]:
    """Make a new token for an invite, for another seven days; the old token ends. Nothing is sent: see ``create``.

    Raises:
        NotFound: ``invite_not_found``.
        Conflict: ``invite_used`` or ``invite_revoked``; ``invite_pending``: the address was invited anew meanwhile.
        Forbidden: ``role_exceeds_own``; ``quota_exceeded``.
    """
    check(context, "users")

    def work(work: Work) -> Answer[InviteCreated]:
        record = work.get_for_update(INVITES, invite_id)
        invite = record.value
        _check_grant(context, invite.role)
        if invite.status in {"accepted", "revoked"}:
            raise _ended(work, invite)
        now = datetime.now(UTC)
        renewed = {"status": "pending", "pending_email": invite.email, "updated_at": now, "expires_at": now + LIFETIME}
        _replace_tokens(work, invite_id)
        invite = work.update(INVITES, record, invite.model_copy(update=renewed))
        return _shown_once(invite, _issue(work, invite), status=200)

    return transact(context, work)


def accept(context: Context, body: InviteAccept) -> Answer[Record[User]]:
    """Make the person who calls one of the tenant's people.

    The provider vouches for the e-mail address (``context.principal.profile``); the token alone is not enough, whoever
    it was forwarded to. Once the claims have travelled to the provider the person refreshes the ID token and works.

    Raises:
        NotFound: ``invite_not_found``: no invite ever had the token, or too long ago.
        Forbidden: ``email_not_verified``; ``invite_other_email``; ``tenant_suspended``; ``quota_exceeded``.
        Conflict: ``invite_used``, ``invite_revoked``, ``invite_expired`` or ``invite_replaced``; ``already_member``;
            ``member_elsewhere``.
    """
    path = token_path(body.token)
    found = read(context, path)
    if found is None:
        raise NotFound("invite_not_found", "There is no such invite.")
    own = context.for_tenant(found[0]["tenant_id"])
    invite_id, user_id = found[0]["invite_id"], context.principal.id
    require_working_tenant(context.clients, own.tenant_id)

    def work(work: Work) -> User:
        record = work.get(INVITES, invite_id)
        _require_invited(own, record.value)
        _require_open(work, record.value, path)
        return _join(work, record)

    try:
        record = write_record(own, work)
    except Conflict as conflict:
        if conflict.code != "user_exists":
            raise
        raise transact(own, lambda work: already(work, user_id), answers=False) from None
    forget_person(context.clients, user_id)
    return Answer(content=record, status=201, headers={"Location": "/v1/me"})


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
        "is_replaced": False,
    }
    work.write(reference.path, lambda batch: batch.create(reference, fields))
    return token


def token_path(token: str) -> str:
    """Return the path of the technical document of a token."""
    return f"{INVITE_TOKENS.path}/{hashlib.sha256(token.encode()).hexdigest()}"


def shown(invite: Invite) -> InviteView:
    """Return what is shown of an invite; one whose time has passed is expired."""
    status = "expired" if invite.status == "pending" and invite.expires_at <= datetime.now(UTC) else invite.status
    fields = invite.model_dump()
    return InviteView.model_validate({**{name: fields[name] for name in InviteView.model_fields}, "status": status})


def _shown_once(invite: Invite, token: str, *, status: int) -> Answer[InviteCreated]:
    content = InviteCreated(**shown(invite).model_dump(), token=token)
    location = {"Location": f"/v1/invites/{invite.invite_id}"}
    return Answer(content=content, status=status, headers=location, secret=True)


def _check_grant(context: Context, role: TenantRole) -> None:
    """Refuse to let anybody but administrators make administrators."""
    if role == "admin" and context.principal.role != "admin":
        raise Forbidden("role_exceeds_own", "Only an administrator invites an administrator.", audited=True)


def _end_expired(work: Work, email: str) -> None:
    """Let an invite whose time has passed give its address free for a new one."""
    for record in work.select(INVITES, [("pending_email", "==", email)], limit=1):
        now = datetime.now(UTC)
        if record.value.expires_at <= now:
            ended = {"status": "expired", "pending_email": None, "updated_at": now}
            work.update(INVITES, record, record.value.model_copy(update=ended))


def _tokens(work: Work, invite_id: str) -> list[Any]:
    tokens = work.context.clients.get(firestore_client).collection(INVITE_TOKENS.path)
    query = tokens.where(filter=FieldFilter("invite_id", "==", invite_id))
    with translated():
        return list(query.stream(transaction=work.transaction.handle, **bounded(work.context.deadline)))


def _replace_tokens(work: Work, invite_id: str) -> None:
    for snapshot in _tokens(work, invite_id):
        work.write(snapshot.reference.path, _replaced(snapshot.reference))


def _replaced(reference: Any) -> Write:
    return lambda batch: batch.update(reference, {"is_replaced": True})


def _require_invited(context: Context, invite: Invite) -> None:
    """Refuse a caller for whose e-mail address the provider does not vouch, or whom nobody invited.

    Raises:
        Forbidden: ``email_not_verified`` or ``invite_other_email``.
    """
    profile = _profile(context)
    if profile.email is None or not profile.email_verified:
        message = "The e-mail address of the account is not verified yet; verify it and accept again."
        raise Forbidden("email_not_verified", message, audited=context.tenant_id)
    try:
        email = normalised_email(profile.email)
    except ValueError:
        email = ""
    if email != invite.email:
        message = "The invite is for another e-mail address; sign in with the invited one."
        raise Forbidden("invite_other_email", message, audited=context.tenant_id)


def _profile(context: Context) -> Profile:
    if context.principal.profile is None:
        raise ValueError("only people accept invites")
    return context.principal.profile


def _require_open(work: Work, invite: Invite, path: str) -> None:
    """Refuse an invite that cannot be accepted any more, each with its own code."""
    if invite.status != "pending":
        raise _ended(work, invite)
    if read_many(work.context, [path], work.transaction).get(path, {}).get("is_replaced", True):
        message = "A newer link was made for this invite; ask the administrator for it."
        raise Conflict("invite_replaced", message, audited=work.context.tenant_id)
    if invite.expires_at <= datetime.now(UTC):
        raise _ended(work, invite.model_copy(update={"status": "expired"}))


def _ended(work: Work, invite: Invite) -> Conflict:
    """Return the refusal of an invite that has ended; the audit trail tells of it."""
    told = {
        "accepted": ("invite_used", "The invite was accepted already."),
        "revoked": ("invite_revoked", "The invite was revoked."),
        "expired": ("invite_expired", "The invite has expired; ask the administrator for a new one."),
    }
    return Conflict(*told[invite.status], audited=work.context.tenant_id)


def _join(work: Work, record: Record[Invite]) -> User:
    """Make the caller one of the tenant's people and end the invite."""
    context, invite, profile = work.context, record.value, _profile(work.context)
    check(context, "users")
    now = datetime.now(UTC)
    user = User(
        user_id=context.principal.id,
        email=invite.email,
        email_verified=True,
        name=invite.name or (profile.name or "")[:200] or None,
        avatar_url=profile.picture if (profile.picture or "").startswith("https://") else None,
        role=invite.role,
        company_id=_company_of(work, invite),
        invite_id=invite.invite_id,
        created_at=now,
        updated_at=now,
    )
    ended = {"status": "accepted", "pending_email": None, "updated_at": now, "accepted_at": now}
    work.update(INVITES, record, invite.model_copy(update={**ended, "accepted_by": user.user_id}))
    return work.create(USERS, user)


def _company_of(work: Work, invite: Invite) -> str | None:
    """Return the company of an invite; one archived or full meanwhile is no reason to turn somebody away."""
    if invite.company_id is None:
        return None
    try:
        return require_company(work, invite.company_id).company_id
    except Unprocessable:
        return None
