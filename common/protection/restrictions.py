"""What people asked not to be done with their data: one reader that every later use of personal data asks first."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from common.context import Context
from common.identifiers import derived_uuid
from common.protection.entities import RESTRICTIONS
from common.protection.subjects import Subject, digests_of
from common.store import Repository
from common.suppression import EVERYTHING


@dataclass(frozen=True, kw_only=True, slots=True)
class Restrictions:
    """What must not be done with a person's data.

    Attributes:
        restricted: Nothing but storing it (GDPR art. 18).
        objected: Purposes that the person objected to (art. 21).
        withdrawn: Purposes that the person withdrew consent from (art. 7(3)).
    """

    restricted: bool = False
    objected: frozenset[str] = frozenset()
    withdrawn: frozenset[str] = frozenset()

    def forbids(self, purpose: str) -> bool:
        """Tell whether data must not be used for a purpose."""
        return self.restricted or not {purpose, EVERYTHING}.isdisjoint(self.objected | self.withdrawn)


def restriction_of(context: Context, subject: Subject) -> Restrictions:
    """Return what must not be done with a person's data; AI, enrichment and mailing ask before they use any.

    Args:
        context: Whose data.
        subject: Whom it is about, by every identifier that is known.

    Raises:
        Unavailable: It cannot be looked up now: then the data must not be used.
    """
    return restrictions_of_digests(context, digests_of(context, subject))


def restrictions_of_digests(context: Context, digests: Iterable[str]) -> Restrictions:
    """Return what must not be done with the data of a person that is known by keyed digests."""
    names = [str(restriction_id(context, digest)) for digest in digests]
    found = [record.value for record in Repository(RESTRICTIONS, context).get_many(names).values()]
    return Restrictions(
        restricted=any(each.restricted for each in found),
        objected=frozenset(purpose for each in found for purpose in each.objected),
        withdrawn=frozenset(purpose for each in found for purpose in each.withdrawn),
    )


def restriction_id(context: Context, digest: str) -> uuid.UUID:
    """Return the id of the restriction of an identifier."""
    return derived_uuid("restriction", context.tenant_id, digest)
