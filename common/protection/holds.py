"""Legal holds as everything that destroys data sees them: what is held, and the refusal that quotes why.

Whoever destroys asks here first, and in the transaction that destroys (``work``): a hold that is placed meanwhile then
either comes first, and refuses, or comes after what is gone already.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from common.collection import Filter
from common.context import Context
from common.errors import Locked
from common.protection.entities import LEGAL_HOLDS
from common.protection.models import LegalHold
from common.store import Repository, Work

ACTIVE: Filter = ("status", "==", "active")
MOST_ACTIVE = 500
"""Active holds a tenant may have; they are read as a whole."""


def active(context: Context, work: Work | None = None) -> list[LegalHold]:
    """Return the tenant's active holds, the oldest first.

    Args:
        context: Whose holds.
        work: The transaction that is going to destroy something; None reads outside of one.
    """
    if work is None:
        records = Repository(LEGAL_HOLDS, context).select([ACTIVE], ("placed_at",), MOST_ACTIVE)
    else:
        records = work.select(LEGAL_HOLDS, [ACTIVE], ("placed_at",), MOST_ACTIVE)
    return [record.value for record in records]


def that_keep(
    holds: Sequence[LegalHold], subject_digests: Collection[str], entities: Collection[str] | None
) -> list[LegalHold]:
    """Return those holds that keep data from being destroyed.

    Args:
        holds: Active holds.
        subject_digests: Keyed digests of the identifiers of the people concerned.
        entities: Names of the kinds of record concerned; None means that any kind may be.
    """
    wanted = set(subject_digests)

    def keeps(hold: LegalHold) -> bool:
        if hold.scope == "subject":
            return not wanted.isdisjoint(hold.subject_digests)
        return hold.scope == "tenant" or entities is None or hold.entity in entities

    return [hold for hold in holds if keeps(hold)]


def require_none(
    context: Context,
    subject_digests: Collection[str] = (),
    *,
    entities: Collection[str] | None = None,
    work: Work | None = None,
) -> None:
    """Refuse to destroy what a hold keeps.

    Args:
        context: Whose data.
        subject_digests: Keyed digests of the person's identifiers (``common.protection.subjects``).
        entities: Names of the kinds of record that would lose something; None means that any kind may.
        work: The transaction that destroys.

    Raises:
        Locked: ``legal_hold``, with the written reason of the oldest hold and the ids of all that apply; audited.
    """
    found = that_keep(active(context, work), subject_digests, entities)
    if found:
        raise refusal(found)


def require_none_at_all(context: Context, work: Work | None = None) -> None:
    """Refuse to delete the tenant as a whole while any hold is active, whatever its scope.

    Raises:
        Locked: ``legal_hold``.
    """
    found = active(context, work)
    if found:
        raise refusal(found)


def refusal(holds: Sequence[LegalHold]) -> Locked:
    """Return the refusal that quotes the oldest of some holds."""
    oldest = holds[0]
    return Locked(
        "legal_hold",
        f"A legal hold keeps this since {oldest.placed_at:%Y-%m-%d}: {oldest.reason}",
        details={"reason": oldest.reason, "hold_ids": [str(hold.hold_id) for hold in holds]},
        audited=True,
    )
