"""What protects data and people: legal holds, suppressions and restrictions, as they are stored."""

from __future__ import annotations

import uuid
from typing import Literal

from pydantic import Field

from common.model import Model, Timestamp

HoldScope = Literal["subject", "entity", "tenant"]
HoldStatus = Literal["active", "released"]


class LegalHold(Model):
    """A legal hold: what must not be destroyed, whatever retention or an erasure says.

    Attributes:
        hold_id: Id.
        tenant_id: Whose data it keeps.
        scope: ``subject`` keeps what belongs to one person, ``entity`` a kind of record, ``tenant`` everything.
        subject_digests: Keyed digests of the person's identifiers; empty for the other scopes.
        entity: Name of the kind of record; None for the other scopes.
        reason: Why, in writing; it is what a refusal quotes.
        status: ``active`` until it is released.
        placed_at: Since when it holds.
        placed_by: Who placed it.
        released_at: When it was released; None while it is active.
        released_by: Who released it.
        release_reason: Why it was released, in writing.
    """

    hold_id: uuid.UUID
    tenant_id: str
    scope: HoldScope
    subject_digests: list[str] = Field(default_factory=list)
    entity: str | None = None
    reason: str
    status: HoldStatus = "active"
    placed_at: Timestamp
    placed_by: str
    released_at: Timestamp | None = None
    released_by: str | None = None
    release_reason: str | None = None


class Suppression(Model):
    """An address that must not be used for a purpose: its keyed digest, never the address.

    Attributes:
        suppression_id: Derived from the purpose and the digest, so that an address is on a list once.
        tenant_id: Whose list.
        purpose: What the address must not be used for; ``all`` for everything.
        digest: Keyed digest of the address.
        reason: ``objection``, ``consent_withdrawn``, ``erasure``, ``bounce``, ``complaint``, ``import`` or ``manual``.
        note: For people; never the address.
        added_at: When it was added.
        added_by: Who added it.
    """

    suppression_id: uuid.UUID
    tenant_id: str
    purpose: str
    digest: str
    reason: str
    note: str | None = None
    added_at: Timestamp
    added_by: str


class Restriction(Model):
    """What a person has asked not to be done with their data (GDPR art. 7(3), 18 and 21), found by keyed digest.

    Attributes:
        restriction_id: Derived from the digest: one document an identifier.
        tenant_id: Whose data.
        digest: Keyed digest of the identifier.
        restricted: All processing but storage is restricted (art. 18).
        objected: Purposes that the person objected to (art. 21); ``all`` stands for every one.
        withdrawn: Purposes that the person withdrew consent from (art. 7(3)).
        request_id: The request that set it last.
        lift_reason: Why something of it was lifted last, in writing; None where nothing was.
        updated_at: When it was set.
    """

    restriction_id: uuid.UUID
    tenant_id: str
    digest: str
    restricted: bool = False
    objected: list[str] = Field(default_factory=list)
    withdrawn: list[str] = Field(default_factory=list)
    request_id: str | None = None
    lift_reason: str | None = None
    updated_at: Timestamp
