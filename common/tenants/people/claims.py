"""Custom claims at the identity provider follow people's documents, and sessions end there as they ended here.

It is brought about from the change feed, so that no handler can forget it. An event only says whose state to look at:
what is written is what the document says now, and after writing the document is read once more. Whatever was slower
with an older state has written before that second look or finds the newer one in its own; so events may come twice, in
any order and at once, and the newest state is the last one written. A delivery that fails midway comes again.
"""

from __future__ import annotations

import time
from typing import Any

from common.clients.identity import Account, identity_provider
from common.context import Context
from common.errors import Unavailable
from common.people import StoredPerson, read_person

LOOKS = 5
"""Looks at a document that changes each time; then the delivery is left to come again."""


def follow(context: Context, user_id: str, *, erased: bool = False) -> None:
    """Bring an account's claims and sessions to what the person's document says now; harmless to repeat.

    Args:
        context: Circumstances of the delivery.
        user_id: The account.
        erased: Whether the event is of an erasure; without a document the account goes as well, e-mail address and all.

    Raises:
        Unavailable: The provider or Firestore does not answer, or the document changes all the time.
    """
    if not context.clients.settings.identity_url:
        return
    provider = context.clients.get(identity_provider)
    person = read_person(context.clients, user_id)
    if erased and person is None:
        provider.delete(context, user_id)
        return
    for _ in range(LOOKS):
        account = provider.account(context, user_id)
        if account is None:
            return
        changes = _due(account, person)
        if changes:
            provider.update(context, user_id, **changes)
        latest = read_person(context.clients, user_id)
        if latest == person:
            return
        person = latest
    raise Unavailable("firestore", "the person's document changes faster than it can be followed")


def withdraw(context: Context, user_id: str) -> None:
    """Take the tenant of the context away from an account and end its sessions, whatever any document says.

    An account that belongs to another tenant by now is left alone. Harmless to repeat.

    Raises:
        Unavailable: The provider does not answer.
    """
    if not context.clients.settings.identity_url:
        return
    provider = context.clients.get(identity_provider)
    account = provider.account(context, user_id)
    if account is None or account.claims.get("tenant_id") != context.tenant_id:
        return
    provider.update(context, user_id, **_due(account, None))


def claims_of(person: StoredPerson | None) -> dict[str, Any]:
    """Return the claims of somebody with this document; without one, an account belongs to no tenant."""
    return {} if person is None else {"tenant_id": person.tenant_id, "role": person.role}


def _due(account: Account, person: StoredPerson | None) -> dict[str, Any]:
    """Return what has to be written so that an account follows a document; nothing where it does.

    Sessions end with whatever takes rights away: when they were ended here, and when somebody was taken out of a
    tenant, whose claims go. The provider counts whole seconds; a sign-in of the second in which sessions ended does
    not count (as in ``StoredPerson.accepts``), hence the next one.
    """
    changes: dict[str, Any] = {}
    claims = claims_of(person)
    kept = {name: value for name, value in account.claims.items() if name not in {"tenant_id", "role"}}
    if {**kept, **claims} != dict(account.claims):
        changes["claims"] = {**kept, **claims}
    ended = None if person is None else person.sessions_valid_after
    if ended is not None and account.valid_since <= int(ended.timestamp()):
        changes["valid_since"] = int(ended.timestamp()) + 1
    if person is None and "claims" in changes:
        changes["valid_since"] = int(time.time()) + 1
    return changes
