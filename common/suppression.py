"""The suppression list: addresses that must not be used for a purpose, kept as keyed digests only.

The list survives the erasure of the person (it holds nothing that could be erased: the digest says whom not to write
to, and only to who has the address and the tenant's key). With the tenant's key it dies.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import StringConstraints

from common.context import Context
from common.crypto import digests
from common.email_address import normalised_email
from common.identifiers import derived_uuid
from common.protection.entities import SUPPRESSIONS
from common.protection.models import Suppression
from common.store import Repository, Work, transact

EVERYTHING = "all"
"""The purpose that stands for every purpose."""
DIGESTS = "suppression"

Purpose = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
Reason = Literal["objection", "consent_withdrawn", "erasure", "bounce", "complaint", "import", "manual"]


def is_suppressed(context: Context, email: str, purpose: str) -> bool:
    """Tell whether an address must not be used for a purpose; whoever writes to people asks first.

    Raises:
        ValueError: It is no address.
        Unavailable: The list or the tenant's key cannot be read: then nobody may be written to.
    """
    digest = digest_of(context, email)
    names = [str(id_of(context, each, digest)) for each in (purpose, EVERYTHING)]
    return bool(Repository(SUPPRESSIONS, context).get_many(names))


def add(
    context: Context,
    email: str,
    purpose: str = EVERYTHING,
    *,
    reason: Reason = "manual",
    note: str | None = None,
    work: Work | None = None,
) -> Suppression:
    """Put an address on the list; one that is on it stays as it is.

    Args:
        context: Whose list.
        email: The address, in any spelling.
        purpose: What it must not be used for.
        reason: Why.
        note: For people; must not name the address.
        work: The transaction to do it in; None makes one.

    Raises:
        ValueError: It is no address.
        Unavailable: The tenant's key cannot be had now.
    """
    return add_digest(context, digest_of(context, email), purpose, reason=reason, note=note, work=work)


def add_digest(
    context: Context,
    digest: str,
    purpose: str = EVERYTHING,
    *,
    reason: Reason = "manual",
    note: str | None = None,
    work: Work | None = None,
) -> Suppression:
    """Put the address of a digest (``digest_of``) on the list; see ``add``."""
    wanted = Suppression(
        suppression_id=id_of(context, purpose, digest),
        tenant_id=context.tenant_id,
        purpose=purpose,
        digest=digest,
        reason=reason,
        note=note,
        added_at=datetime.now(UTC),
        added_by=context.principal.id,
    )

    def within(work: Work) -> Suppression:
        record = work.find(SUPPRESSIONS, str(wanted.suppression_id))
        return work.create(SUPPRESSIONS, wanted) if record is None else record.value

    return transact(context, within, answers=False) if work is None else within(work)


def remove_digest(context: Context, digest: str, purpose: str, work: Work) -> bool:
    """Take the address of a digest off the list for one purpose; tell whether it was on it."""
    record = work.find(SUPPRESSIONS, str(id_of(context, purpose, digest)))
    if record is not None:
        work.delete(SUPPRESSIONS, record)
    return record is not None


def digest_of(context: Context, email: str) -> str:
    """Return the keyed digest of an address.

    Raises:
        ValueError: It is no address.
    """
    return digests.keyed(context, DIGESTS, normalised_email(email))


def id_of(context: Context, purpose: str, digest: str) -> uuid.UUID:
    """Return the id of an entry of the list."""
    return derived_uuid("suppression", context.tenant_id, purpose, digest)
