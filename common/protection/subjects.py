"""People as subjects of data: the identifiers they are found by, and the keyed digests that stand for those.

A hold, a suppression and a restriction outlive the erasure of the person they are about, so they know the person by
digest only: an HMAC under a key of the tenant, which nobody can reverse by trying addresses without that key.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from common.context import Context
from common.crypto import digests
from common.email_address import EmailAddress
from common.model import Model

PURPOSE = "privacy-subject"
"""What the digests of identifiers are for: digests of another purpose cannot be compared with them."""

UserId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Subject(Model):
    """Whom something is about; at least one identifier.

    Attributes:
        email: E-mail address, in any spelling.
        user_id: Id of a user, as records of the tenant name them.
    """

    email: EmailAddress | None = Field(default=None, examples=["jane.doe@example.com"])
    user_id: UserId | None = Field(default=None, examples=["uid-4711"])

    @model_validator(mode="after")
    def _identified(self) -> Self:
        if self.email is None and self.user_id is None:
            raise PydanticCustomError("subject_missing", "name the person by email or user_id")
        return self

    def identifiers(self) -> list[tuple[str, str]]:
        """Return kind and normalised value of each identifier."""
        found = (("email", self.email), ("user_id", self.user_id))
        return [(kind, value) for kind, value in found if value is not None]


def digests_of(context: Context, subject: Subject) -> list[str]:
    """Return the keyed digest of each of a subject's identifiers.

    Raises:
        Unavailable: The tenant's key cannot be had now.
    """
    return [digest_of(context, kind, value) for kind, value in subject.identifiers()]


def digest_of(context: Context, kind: str, value: str) -> str:
    """Return the keyed digest of one normalised identifier, of kind ``email`` or ``user_id``."""
    return digests.keyed(context, PURPOSE, f"{kind}:{value}")
