"""People of a tenant, as administrators see them: listing, changing, roles, deactivating, removing.

Whatever ends a person's rights also ends the sessions: sign-ins up to now do not count any more, here within a minute
(``common.people``), at the identity provider as soon as the change has travelled there (``claims``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from common.answers import Page, Record
from common.context import Context
from common.errors import Conflict, Forbidden
from common.last_admin import require_another_admin
from common.people import forget_person
from common.quotas import check
from common.store import Repository, Work, transact, write_record
from common.tenants.companies.membership import require_company
from common.tenants.people.entities import USERS
from common.tenants.people.models import RoleChange, User, UserListQuery, UserUpdate


def listed(context: Context, query: UserListQuery) -> Page[User]:
    """Return a page of the tenant's people, newest first.

    Raises:
        BadRequest: ``invalid_cursor``.
    """
    asked = (("company_id", query.company_id), ("role", query.role), ("status", query.status))
    filters = [(field, "==", value) for field, value in asked if value is not None]
    return Repository(USERS, context).page(filters, limit=query.limit, cursor=query.cursor)


def get(context: Context, user_id: str) -> Record[User]:
    """Return a person.

    Raises:
        NotFound: ``user_not_found``.
    """
    return Repository(USERS, context).get(user_id)


def update(context: Context, user_id: str, body: UserUpdate) -> Record[User]:
    """Change what administrators decide about a person besides role and status.

    Raises:
        NotFound: ``user_not_found``.
        PreconditionFailed: ``stale_etag``.
        Unprocessable: ``company_not_found`` or ``company_archived``.
    """

    def changes(work: Work, user: User) -> dict[str, Any]:
        changes = body.model_dump(exclude_unset=True)
        if changes.get("company_id") not in {None, user.company_id}:
            require_company(work, changes["company_id"])
        return changes

    return change(context, user_id, changes)


def set_role(context: Context, user_id: str, body: RoleChange) -> Record[User]:
    """Give a person another role; the person signs in again for it.

    Raises:
        NotFound: ``user_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``last_admin``.
        Forbidden: ``role_missing``: the caller is no administrator any more.
    """

    def changes(work: Work, user: User) -> dict[str, Any]:
        if user.role == body.role:
            return {}
        if user.is_active_admin:
            require_another_admin(work.context, user.user_id, work.transaction)
        require_standing(work)
        return {"role": body.role, "sessions_valid_after": datetime.now(UTC)}

    return change(context, user_id, changes)


def deactivate(context: Context, user_id: str) -> Record[User]:
    """Refuse a person's tokens from now on; what the person made stays. Deactivating twice changes nothing.

    Raises:
        NotFound: ``user_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``last_admin``.
        Forbidden: ``role_missing``: the caller is no administrator any more.
    """

    def changes(work: Work, user: User) -> dict[str, Any]:
        if user.status == "deactivated":
            return {}
        if user.is_active_admin:
            require_another_admin(work.context, user.user_id, work.transaction)
        require_standing(work)
        now = datetime.now(UTC)
        return {"status": "deactivated", "deactivated_at": now, "sessions_valid_after": now}

    return change(context, user_id, changes)


def reactivate(context: Context, user_id: str) -> Record[User]:
    """Accept a deactivated person again, after a new sign-in. Reactivating twice changes nothing.

    Raises:
        NotFound: ``user_not_found``.
        PreconditionFailed: ``stale_etag``.
        Forbidden: ``quota_exceeded``; ``role_missing``: the caller is no administrator any more.
    """

    def changes(work: Work, user: User) -> dict[str, Any]:
        if user.status == "active":
            return {}
        require_standing(work)
        check(work.context, "users")
        return {"status": "active", "deactivated_at": None}

    return change(context, user_id, changes)


def sign_out(context: Context, user_id: str) -> Record[User]:
    """End every session of a person: sign-ins up to now do not count any more.

    Raises:
        NotFound: ``user_not_found``.
        PreconditionFailed: ``stale_etag``.
    """
    return change(context, user_id, lambda _work, _user: {"sessions_valid_after": datetime.now(UTC)})


def remove(context: Context, user_id: str) -> None:
    """Take a person out of the tenant; the account may then be invited elsewhere.

    Raises:
        NotFound: ``user_not_found``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``last_admin``.
        Forbidden: ``role_missing``: the caller is no administrator any more.
    """

    def work(work: Work) -> None:
        record = work.get_for_update(USERS, user_id)
        if record.value.is_active_admin:
            require_another_admin(context, user_id, work.transaction)
        if context.principal.id != user_id:
            require_standing(work)
        work.delete(USERS, record)

    transact(context, work)
    forget_person(context.clients, user_id)


def change(context: Context, user_id: str, changes: Callable[[Work, User], dict[str, Any]]) -> Record[User]:
    """Change fields of a person in one transaction; a change of nothing writes nothing.

    Args:
        context: Circumstances.
        user_id: Who is changed.
        changes: Returns the new values of fields; may be called more than once.

    Raises:
        NotFound: ``user_not_found``.
        PreconditionFailed: ``stale_etag``.
    """

    def work(work: Work) -> User:
        record = work.get_for_update(USERS, user_id)
        changed = record.value.model_copy(update=changes(work, record.value))
        if changed != record.value:
            changed = changed.model_copy(update={"updated_at": datetime.now(UTC)})
        return work.update(USERS, record, changed)

    record = write_record(context, work)
    forget_person(context.clients, user_id)
    return record


def require_standing(work: Work) -> None:
    """Refuse a caller who is an administrator by what is remembered only, and has been demoted meanwhile.

    Credentials are remembered for a minute; who decides about people is looked up in the transaction.

    Raises:
        Forbidden: ``role_missing``.
    """
    principal = work.context.principal
    if principal.kind != "user":
        return
    caller = work.find(USERS, principal.id)
    if caller is None or not caller.value.is_active_admin:
        raise Forbidden("role_missing", "This operation needs one of the roles: admin", audited=True)


def require_person(context: Context) -> str:
    """Return the id of the person who calls.

    Raises:
        Forbidden: ``person_only``; the caller is an API key.
    """
    if context.principal.kind != "user":
        raise Forbidden("person_only", "Only a person with an ID token may call this operation")
    return context.principal.id


def already(work: Work, user_id: str) -> Conflict:
    """Return why an account cannot join: it is here already, or belongs to another tenant."""
    if work.find(USERS, user_id) is not None:
        return Conflict("already_member", "You belong to this tenant already.")
    message = "This account belongs to another tenant; it has to leave that one first, or another account is needed."
    return Conflict("member_elsewhere", message, audited=work.context.tenant_id)
