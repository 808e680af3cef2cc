"""Lifting what a restriction or an objection forbids, with a written reason; withdrawn consent is only given again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from common import suppression
from common.context import Context
from common.errors import NotFound
from common.model import Model
from common.platform.privacy.consents.models import ConsentLookup, Standing
from common.platform.privacy.consents.service import standing
from common.platform.privacy.hold_models import Writing
from common.protection.entities import RESTRICTIONS, SUPPRESSIONS
from common.protection.restrictions import restriction_id
from common.protection.subjects import Subject, digests_of
from common.store import Work, transact
from common.suppression import Purpose


class RestrictionLift(Model):
    """What is lifted.

    Attributes:
        subject: Whose restriction, by every identifier it was set for.
        restriction: Whether the restriction of all processing ends (the person is told before, GDPR art. 18(3)).
        purposes: Purposes whose objection ends, as the person said; ``all`` is the objection to every purpose.
        reason: Why, in writing.
    """

    subject: Subject = Field(examples=[{"email": "jane.doe@example.com"}])
    restriction: bool = Field(default=False, examples=[True])
    purposes: list[Purpose] = Field(default_factory=list, max_length=50, examples=[[]])
    reason: Writing = Field(examples=["The accuracy was verified; the person was told on 3 March."])

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.restriction and not self.purposes:
            raise PydanticCustomError("nothing_to_lift", "say what is lifted: the restriction, or purposes")
        return self


def lift(context: Context, body: RestrictionLift, now: datetime | None = None) -> Standing:
    """Lift a restriction, or objections; return what holds now.

    Raises:
        NotFound: ``restriction_not_found``: nothing is restricted for this person.
        Unavailable: The tenant's key cannot be had now.
    """
    now = now or datetime.now(UTC)
    names = [str(restriction_id(context, digest)) for digest in digests_of(context, body.subject)]

    def work(work: Work) -> None:
        found = work.get_many(RESTRICTIONS, names)
        if not found:
            raise NotFound("restriction_not_found", "Nothing is restricted for this person.")
        for record in found.values():
            changes = {
                "restricted": record.value.restricted and not body.restriction,
                "objected": sorted(set(record.value.objected) - set(body.purposes)),
                "lift_reason": body.reason,
                "updated_at": now,
            }
            work.update(RESTRICTIONS, record, record.value.model_copy(update=changes))
        if body.subject.email is not None:
            _take_off(work, body.subject.email, body.purposes)

    transact(context, work, answers=False)
    return standing(context, ConsentLookup(subject=body.subject))


def _take_off(work: Work, email: str, purposes: list[str]) -> None:
    """Take an address off the lists that the objection put it on; other reasons keep it there."""
    digest = suppression.digest_of(work.context, email)
    names = [str(suppression.id_of(work.context, purpose, digest)) for purpose in dict.fromkeys(purposes)]
    for record in work.get_many(SUPPRESSIONS, names).values():
        if record.value.reason == "objection":
            work.delete(SUPPRESSIONS, record)
