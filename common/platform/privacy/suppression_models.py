"""The suppression list as it is asked for and answered; addresses come in, and never go out."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from common.email_address import EmailAddress
from common.model import Model, Timestamp
from common.protection.models import Suppression
from common.suppression import EVERYTHING, Purpose

MOST_IMPORTED = 1000
"""Addresses of one import."""

Note = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SuppressionAdd(Model):
    """An address to be put on the list.

    Attributes:
        email: The address; kept as a keyed digest only.
        purpose: What it must not be used for; ``all`` for everything.
        reason: Why.
        note: For people; must not name the address.
    """

    email: EmailAddress
    purpose: Purpose = Field(default=EVERYTHING, examples=["newsletter"])
    reason: Literal["objection", "bounce", "complaint", "manual"] = Field(default="manual", examples=["complaint"])
    note: Note | None = Field(default=None, examples=["Complained by telephone."])


class SuppressionCheck(Model):
    """An address to be looked up.

    Attributes:
        email: The address.
        purpose: What it is to be used for.
    """

    email: EmailAddress
    purpose: Purpose = Field(examples=["newsletter"])


class SuppressionAnswer(Model):
    """Whether an address must not be used for a purpose."""

    suppressed: bool


class SuppressionEntry(Model):
    """An entry of the list as it is shown: neither the address nor its digest.

    Attributes:
        suppression_id: Id, by which it is removed.
        purpose: What the address must not be used for.
        reason: Why.
        note: For people.
        added_at: When it was added.
        added_by: Who added it.
    """

    suppression_id: uuid.UUID
    purpose: str
    reason: str
    note: str | None = None
    added_at: Timestamp
    added_by: str

    @classmethod
    def shown(cls, stored: Suppression) -> SuppressionEntry:
        """Return what is shown of an entry."""
        return cls(**{name: getattr(stored, name) for name in cls.model_fields})


class SuppressionListQuery(Model):
    """Which entries to list; the latest first.

    Attributes:
        purpose: Only entries of this purpose.
        limit: Entries a page.
        cursor: ``next_cursor`` of the page before.
    """

    purpose: Purpose | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=4096)


class SuppressionImport(Model):
    """Addresses to be put on the list, as another tool had them.

    Attributes:
        emails: The addresses, as written there; what is no address is refused by itself.
        purpose: What they must not be used for.
        note: For people.
    """

    emails: Annotated[
        list[Annotated[str, StringConstraints(max_length=1000)]], Field(min_length=1, max_length=1000)
    ] = Field(examples=[["jane.doe@example.com", "John.Doe@Example.com"]])
    purpose: Purpose = Field(default=EVERYTHING, examples=["newsletter"])
    note: Note | None = Field(default=None, examples=["From the old newsletter tool."])


class RefusedAddress(Model):
    """An address that was not taken; it is named by its position only.

    Attributes:
        pointer: JSON pointer to it.
        code: Stable code.
        message: What is wrong.
    """

    pointer: str
    code: str
    message: str


class SuppressionImported(Model):
    """What became of an import.

    Attributes:
        added: Addresses that are on the list now and were not before.
        known: Addresses that were on it already, or stood twice in the import.
        refused: What is no address.
    """

    added: int
    known: int
    refused: list[RefusedAddress]
