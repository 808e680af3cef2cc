"""One refresh of an account at a time, across all instances: a lease in Firestore that ends by itself.

Whoever holds the lease asks the provider; everybody else waits for what comes of it: new tokens, or a failure that is
told to all who waited, so that a provider that is down is asked once and not once by each of them.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from common import technical
from common.context import Context

LEASE = timedelta(seconds=45)
"""Longer than a refresh may take: the provider's ten seconds, and thirty to store what it gave."""
FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right to refresh an account.

    Attributes:
        path: The document of the lease.
        holder: Names this holder.
    """

    path: str
    holder: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """Somebody else holds the lease, or has failed since one began to wait.

    Attributes:
        failure: Why the last refresh failed; None while one is under way.
    """

    failure: str | None


def take(context: Context, account_id: str, waiting_since: datetime | None = None) -> Lease | Held:
    """Take the lease of an account if nobody has it.

    Args:
        context: Circumstances.
        account_id: The account.
        waiting_since: Since when the caller waits: a failure after that is the caller's as well.

    Raises:
        Unavailable: Firestore does not answer.
    """
    lease = Lease(path=_path(context, account_id), holder=secrets.token_hex(8))

    def change(found: dict[str, Any] | None) -> tuple[dict[str, Any] | None, Lease | Held]:
        now = datetime.now(UTC)
        if found is not None and found["until"] > now:
            return None, Held(failure=None)
        failed_at = None if found is None else found["failed_at"]
        if found is not None and waiting_since is not None and failed_at is not None and failed_at > waiting_since:
            return None, Held(failure=found["failure"])
        fields = {
            "tenant_id": context.tenant_id,
            "holder": lease.holder,
            "until": now + LEASE,
            "failed_at": None,
            "failure": None,
            "expires_at": now + FORGOTTEN,
        }
        return fields, lease

    return technical.changed(context, lease.path, change)


def give_back(context: Context, lease: Lease, failure: str | None = None) -> None:
    """End the lease, if it is still the holder's own.

    Args:
        context: Circumstances.
        lease: What ``take`` returned.
        failure: Why no tokens came; None where they did.

    Raises:
        Unavailable: Firestore does not answer; the lease ends by itself.
    """

    def change(found: dict[str, Any] | None) -> tuple[dict[str, Any] | None, None]:
        if found is None or found["holder"] != lease.holder:
            return None, None
        now = datetime.now(UTC)
        return {**found, "until": now, "failed_at": None if failure is None else now, "failure": failure}, None

    technical.changed(context, lease.path, change)


def _path(context: Context, account_id: str) -> str:
    return f"{technical.OAUTH_LEASES.path}/{context.tenant_id}:{account_id}"
