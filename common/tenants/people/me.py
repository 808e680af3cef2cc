"""What people do about themselves: profile, settings, feature flags, sessions, leaving the tenant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from common.answers import Record
from common.context import Context
from common.errors import FieldError, Unprocessable
from common.store import Repository, Work
from common.tenants.companies.entities import COMPANIES
from common.tenants.people import features, users
from common.tenants.people.entities import FEATURE_FLAGS, USERS
from common.tenants.people.models import (
    MAX_FLAGS,
    MAX_SETTINGS,
    Me,
    MeUpdate,
    MySettings,
    MySettingsUpdate,
    User,
    merged,
)


def get(context: Context) -> Record[Me]:
    """Return the person who calls, with the company and the feature flags that count.

    Raises:
        Forbidden: ``person_only``; the caller is an API key.
    """
    record = Repository(USERS, context).get(users.require_person(context))
    user = record.value
    company = None if user.company_id is None else Repository(COMPANIES, context).find(user.company_id)
    fields = user.model_dump()
    me = Me.model_validate(
        {
            **{name: fields[name] for name in fields.keys() & Me.model_fields.keys()},
            "features": _effective(context, user),
            "company": None if company is None else company.value,
            "tenant_id": context.tenant_id,
        }
    )
    return Record(value=me, update_time=record.update_time)


def update(context: Context, body: MeUpdate) -> Record[User]:
    """Change the caller's own profile.

    Raises:
        Forbidden: ``person_only``.
        PreconditionFailed: ``stale_etag``.
        Conflict: ``username_taken``.
    """
    changes = body.model_dump(exclude_unset=True)
    return users.change(context, users.require_person(context), lambda _work, _user: changes)


def settings(context: Context) -> Record[MySettings]:
    """Return the caller's settings, feature flags and time zone.

    Raises:
        Forbidden: ``person_only``.
    """
    record = Repository(USERS, context).get(users.require_person(context))
    user = record.value
    mine = MySettings(settings=user.settings, features=_effective(context, user), timezone=user.timezone)
    return Record(value=mine, update_time=record.update_time)


def update_settings(context: Context, body: MySettingsUpdate) -> Record[User]:
    """Merge settings and feature flags into the caller's own; null takes one away.

    Raises:
        Forbidden: ``person_only``; ``feature_not_yours``.
        PreconditionFailed: ``stale_etag``.
        Unprocessable: ``feature_unknown``; ``too_many_settings``.
    """

    def changes(work: Work, user: User) -> dict[str, Any]:
        switched = {name: value for name, value in (body.features or {}).items() if value != user.features.get(name)}
        features.require_declared(work, switched, own_choice=True)
        changed = {
            "settings": merged(user.settings, body.settings or {}),
            "features": merged(user.features, switched),
        }
        _check_size(changed)
        return changed

    return users.change(context, users.require_person(context), changes)


def sign_out(context: Context) -> Record[User]:
    """End every session of the caller, this one included.

    Raises:
        Forbidden: ``person_only``.
    """
    ended = {"sessions_valid_after": datetime.now(UTC)}
    return users.change(context, users.require_person(context), lambda _work, _user: ended)


def leave(context: Context) -> None:
    """Leave the tenant; the account may then accept an invite of another one.

    Raises:
        Forbidden: ``person_only``.
        Conflict: ``last_admin``.
    """
    users.remove(context, users.require_person(context))


def _effective(context: Context, user: User) -> dict[str, bool]:
    flags = Repository(FEATURE_FLAGS, context).select(limit=MAX_FLAGS)
    return features.effective((record.value for record in flags), user.features)


def _check_size(changed: dict[str, dict[str, Any]]) -> None:
    for name, most in (("settings", MAX_SETTINGS), ("features", MAX_FLAGS)):
        if len(changed[name]) > most:
            message = f"A person has {most} {name} at most."
            errors = [FieldError(pointer=f"/{name}", code="too_many_settings", message=message)]
            raise Unprocessable("too_many_settings", message, errors=errors)
