"""API keys, as they are asked for, stored and answered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from common.api_keys import TenantRole
from common.model import Model, Timestamp
from common.names import Name
from common.tenants.models import Scope

KeyStatus = Literal["active", "expired", "revoked"]


def _without_repetition(scopes: list[str]) -> list[str]:
    return list(dict.fromkeys(scopes))


Scopes = Annotated[list[Scope], Field(min_length=1, max_length=50), AfterValidator(_without_repetition)]


class ApiKeyCreate(Model):
    """An API key to be created.

    Attributes:
        name: What people will know it by.
        role: What roles-restricted operations will see; at most the creator's own.
        scopes: What it may do, within what the role and the creator may do; all of that where it is left out.
        expires_at: From when it will be refused; never where it is left out.
    """

    name: Name = Field(examples=["Nightly export"])
    role: TenantRole = "user"
    scopes: Scopes | None = None
    expires_at: Timestamp | None = None


class ApiKeyUpdate(Model):
    """What changes about a key; everything else about it is fixed, and another key is made instead.

    Attributes:
        name: What people will know it by.
    """

    name: Name | None = Field(default=None, examples=["Nightly export"])

    @model_validator(mode="after")
    def _something(self) -> Self:
        if "name" in self.model_fields_set and self.name is None:
            raise PydanticCustomError("null_not_allowed", "name cannot be cleared")
        return self


class ApiKeyRotate(Model):
    """How a key is replaced.

    Attributes:
        overlap_hours: Hours for which the old key is still accepted, so that callers can change over; 0 ends it now.
        expires_at: From when the new key will be refused; the old key's own expiry where it is left out.
    """

    overlap_hours: int = Field(default=24, ge=0, le=168, examples=[24])
    expires_at: Timestamp | None = None


class ApiKeyListQuery(Model):
    """Which keys to list; newest first.

    Attributes:
        status: Only keys of this status at the moment of the request.
        limit: Keys a page at most; a page may be shorter although more follow.
        cursor: ``next_cursor`` of the page before.
    """

    status: KeyStatus | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=4096)


class TenantKeyListQuery(ApiKeyListQuery):
    """Which keys of a tenant to list; newest first.

    Attributes:
        limit: Keys a page at most; a page may be shorter although more follow.
    """

    limit: int = Field(default=200, ge=1, le=200)


class KeyDocument(Model):
    """An API key as it is stored: everything about it but the key and its hash.

    What authentication needs of it is stored a second time, by the hash (``common.tenants.keys.records``), in the same
    transaction.

    Attributes:
        key_id: Id, by which it is revoked and by which the actor of a change is named.
        tenant_id: Whose key it is.
        name: What people know it by.
        role: What roles-restricted operations see.
        scopes: What it may do.
        prefix: First characters of the key, to tell keys apart.
        created_by: Id of the person, key or operator who made it.
        created_at: When it was made.
        updated_at: When something about it was changed last; its use changes nothing.
        status: ``active``; ``expired``, which is noted some minutes after the fact (``status_at`` says it at once);
            ``revoked``, and refused for good.
        expires_at: From when it is refused; None is never.
        revoked_at: Since when it is refused; None where it is not revoked.
        replaces: Id of the key in whose place a rotation made it; None where it was not made by one.
        replaced_by: Id of the key that a rotation made in its place; None where it was not rotated.
    """

    key_id: str
    tenant_id: str
    name: str
    role: TenantRole
    scopes: list[str]
    prefix: str
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp
    status: KeyStatus = "active"
    expires_at: Timestamp | None = None
    revoked_at: Timestamp | None = None
    replaces: str | None = None
    replaced_by: str | None = None

    def status_at(self, now: datetime) -> KeyStatus:
        """Return the status at a moment; a key that is both expired and revoked is revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


class ApiKey(Model):
    """What is shown of an API key: neither the key nor its hash.

    Attributes:
        key_id: Id, by which it is revoked and by which the actor of a change is named.
        tenant_id: Whose key it is.
        name: What people know it by.
        role: What roles-restricted operations see.
        scopes: What it may do.
        prefix: First characters of the key, to tell keys apart.
        status: ``active``, ``expired`` or ``revoked``, at the moment of the answer.
        created_by: Who made it. The key belongs to the tenant and stays when its maker leaves.
        created_at: When it was made.
        expires_at: From when it is refused; None is never.
        revoked_at: Since when it is refused; None where it is not revoked.
        replaces: Id of the key in whose place a rotation made it; None where it was not made by one.
        replaced_by: Id of the key that a rotation made in its place; None where it was not rotated.
        last_used_at: When it was used last, to within five minutes; a use is shown up to five minutes late. None where
            no use is known: it was never used, or the deployment has no Redis, which is where uses are noted.
    """

    key_id: str
    tenant_id: str
    name: str
    role: TenantRole
    scopes: list[str]
    prefix: str
    status: KeyStatus
    created_by: str
    created_at: Timestamp
    expires_at: Timestamp | None = None
    revoked_at: Timestamp | None = None
    replaces: str | None = None
    replaced_by: str | None = None
    last_used_at: Timestamp | None = None

    @classmethod
    def shown(cls, stored: KeyDocument, last_used_at: datetime | None = None) -> ApiKey:
        """Return what is shown of a stored key."""
        fields = stored.model_dump(exclude={"status", "updated_at"})
        return cls(**fields, status=stored.status_at(datetime.now(UTC)), last_used_at=last_used_at)


class ApiKeyCreated(ApiKey):
    """A new API key with the key itself, which is never shown again.

    Attributes:
        key: The key, to be sent as ``Authorization: Bearer`` or ``X-API-Key``.
    """

    key: str


class ScopeShown(Model):
    """A scope that an API key can have.

    Attributes:
        scope: The scope.
        description: What it opens.
        roles: Roles that cover it.
        grantable: Whether the caller may give it to a key.
    """

    scope: str
    description: str
    roles: list[TenantRole]
    grantable: bool


class ScopeList(Model):
    """Every scope."""

    items: list[ScopeShown]
