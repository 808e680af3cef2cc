"""The consent ledger: what is recorded, what it amounts to, and how it is asked for (GDPR art. 6 and 7)."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from common.model import Model, Timestamp
from common.protection.subjects import Subject
from common.suppression import Purpose

LegalBasis = Literal[
    "consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"
]
"""GDPR art. 6(1)(a) to (f)."""
Action = Literal["given", "withdrawn"]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ConsentInput(Model):
    """What a person allowed or took back.

    Attributes:
        subject: Who.
        purpose: What the data may be used for.
        legal_basis: On what it rests.
        action: Whether it was given or withdrawn.
        at: When; it may be recorded later, in any order.
        source: Where it was said, such as ``signup form``.
        proof: What proves it, such as the number of a signed form.
        policy_version: Version of the text that was agreed to.
    """

    subject: Subject = Field(examples=[{"email": "jane.doe@example.com"}])
    purpose: Purpose = Field(examples=["newsletter"])
    legal_basis: LegalBasis = Field(default="consent", examples=["consent"])
    action: Action = Field(examples=["given"])
    at: Timestamp | None = Field(
        default=None, description="Now, where it is left out.", examples=["2026-01-31T12:00:00Z"]
    )
    source: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(examples=["signup form"])
    proof: Annotated[str, StringConstraints(min_length=1, max_length=2000)] | None = Field(
        default=None, examples=["Confirmed by the link of the second message."]
    )
    policy_version: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        default=None, examples=["2026-01"]
    )


class ConsentRecord(Model):
    """An entry of the ledger; entries never change, but for the erasure of who it was.

    Attributes:
        record_id: Id.
        tenant_id: Whose ledger.
        email: E-mail address of the person; None where it was not given, or is erased.
        user_id: User id of the person; None where it was not given, or is erased.
        email_digest: Keyed digest of the address: what still proves lawfulness after an erasure.
        user_digest: Keyed digest of the user id.
        purpose: What the data may be used for.
        legal_basis: On what it rests.
        action: Whether it was given or withdrawn.
        at: When.
        source: Where it was said.
        proof: What proves it; None where nothing was given, or it is erased.
        policy_version: Version of the text that was agreed to.
        recorded_at: When it was entered.
        recorded_by: Who entered it.
    """

    record_id: uuid.UUID
    tenant_id: str
    email: str | None = None
    user_id: str | None = None
    email_digest: str | None = None
    user_digest: str | None = None
    purpose: str
    legal_basis: LegalBasis
    action: Action
    at: Timestamp
    source: str
    proof: str | None = None
    policy_version: str | None = None
    recorded_at: Timestamp
    recorded_by: str


class ConsentState(Model):
    """What the ledger amounts to for one identifier and purpose; holds digests only.

    Attributes:
        state_id: Derived from digest and purpose.
        tenant_id: Whose ledger.
        digest: Keyed digest of the identifier.
        purpose: What the data may be used for.
        action: What was said last.
        legal_basis: On what it rests.
        at: When it was said.
        record_id: The entry that says so.
        updated_at: When it changed last.
    """

    state_id: uuid.UUID
    tenant_id: str
    digest: str
    purpose: str
    action: Action
    legal_basis: LegalBasis
    at: Timestamp
    record_id: uuid.UUID
    updated_at: Timestamp


class ConsentListQuery(Model):
    """Which entries of the ledger to list; the latest said first.

    Attributes:
        email_digest: Only about this address: its keyed digest, as a lookup answers it. Addresses of people do not
            belong into addresses of the web, which are logged everywhere.
        user_digest: Only about this user id: its keyed digest.
        purpose: Only entries about this purpose.
        limit: Entries a page.
        cursor: ``next_cursor`` of the page before.
    """

    email_digest: Digest | None = None
    user_digest: Digest | None = None
    purpose: Purpose | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=4096)


class ConsentLookup(Model):
    """Whose consents to look up."""

    subject: Subject = Field(examples=[{"email": "jane.doe@example.com"}])


class PurposeState(Model):
    """What holds for a purpose.

    Attributes:
        purpose: What the data may be used for.
        action: What was said last; None where only a restriction or the suppression list speaks of the purpose.
        legal_basis: On what it rests.
        at: When it was said.
        record_id: The entry that says so.
        suppressed: Whether the address must not be used for it.
        allowed: Whether the data may be used for it, everything considered.
    """

    purpose: str
    action: Action | None = None
    legal_basis: LegalBasis | None = None
    at: Timestamp | None = None
    record_id: uuid.UUID | None = None
    suppressed: bool
    allowed: bool


class Standing(Model):
    """What may be done with a person's data.

    Attributes:
        email_digest: Keyed digest of the address, for lists of the ledger.
        user_digest: Keyed digest of the user id.
        restricted: Nothing but storing (GDPR art. 18).
        objected: Purposes that the person objected to; ``all`` is every one.
        purposes: What holds for each purpose that the ledger, an objection or a suppression speaks of.
    """

    email_digest: str | None = None
    user_digest: str | None = None
    restricted: bool
    objected: list[str]
    purposes: list[PurposeState]
