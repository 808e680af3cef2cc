"""Legal holds as they are asked for; ``common.protection.models`` has them as they are stored."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from common.model import Model
from common.protection.models import HoldScope, HoldStatus
from common.protection.subjects import Subject

Writing = Annotated[str, StringConstraints(min_length=10, max_length=2000)]
"""A reason in writing: long enough to say something."""


class HoldPlace(Model):
    """What must not be destroyed.

    Attributes:
        scope: ``subject`` for what belongs to one person, ``entity`` for a kind of record, ``tenant`` for everything.
        subject: The person; whether anything is kept about them makes no difference.
        entity: Name of the kind of record, as the inventory of retention lists it.
        reason: Why, in writing; refusals quote it, so it should name the matter and nobody who need not be named.
    """

    scope: HoldScope = Field(examples=["subject"])
    subject: Subject | None = Field(default=None, examples=[{"email": "jane.doe@example.com"}])
    entity: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        default=None, examples=[None]
    )
    reason: Writing = Field(examples=["Litigation Doe v. Acme, case 2026-117: order of the court of 12 January."])

    @model_validator(mode="after")
    def _fits(self) -> Self:
        named = {"subject": self.subject is not None, "entity": self.entity is not None}
        if any(given != (name == self.scope) for name, given in named.items()):
            raise PydanticCustomError(
                "scope_mismatch", "a hold names subject or entity as its scope says, and neither for the tenant"
            )
        return self


class HoldRelease(Model):
    """Why a hold is released."""

    reason: Writing = Field(examples=["The claim was settled on 3 March; confirmed by counsel."])


class HoldListQuery(Model):
    """Which holds to list; the latest first.

    Attributes:
        status: Only holds of this status.
        limit: Holds a page.
        cursor: ``next_cursor`` of the page before.
    """

    status: HoldStatus | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=4096)
