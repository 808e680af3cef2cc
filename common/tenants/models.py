"""Tenants and their API keys, as they are asked for, stored and answered."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from common.api_keys import StoredKey, TenantRole
from common.context import TENANT_ID
from common.model import Model, Timestamp

TenantTier = Literal["free", "pro", "enterprise"]
TenantStatus = Literal["provisioning", "active", "suspended"]

TenantId = Annotated[
    str,
    StringConstraints(pattern=f"^{TENANT_ID.pattern}$"),
    Field(description="Lower-case letters, digits and underscores; becomes part of data set names.", examples=["acme"]),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Scope = Annotated[
    str,
    StringConstraints(pattern=r"^(\*|(\*|[a-z][a-z_]{0,30}):(read|write))$"),
    Field(
        description="`domain:read`, `domain:write` (implies read), `*:read`, `*:write` or `*`.", examples=["aso:read"]
    ),
]


def _without_repetition(scopes: list[str]) -> list[str]:
    return list(dict.fromkeys(scopes))


class TenantCreate(Model):
    """A tenant to be created.

    Attributes:
        tenant_id: Id of the tenant's own choice; generated where it is left out.
        name: Name in any script.
        tier: What the tenant has booked.
    """

    tenant_id: TenantId | None = None
    name: Name
    tier: TenantTier = "free"


class TenantUpdate(Model):
    """What changes about a tenant; what is left out stays.

    Attributes:
        name: Name in any script.
        tier: What the tenant has booked.
    """

    name: Name | None = Field(default=None, examples=["Acme Ltd"])
    tier: TenantTier | None = Field(default=None, examples=["pro"])

    @model_validator(mode="after")
    def _something(self) -> Self:
        for field in ("name", "tier"):
            if field in self.model_fields_set and getattr(self, field) is None:
                raise PydanticCustomError("null_not_allowed", f"{field} cannot be cleared")
        return self


class TenantSuspend(Model):
    """Why a tenant is suspended.

    Attributes:
        reason: For the record; the tenant's own callers do not see it.
    """

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)] = Field(examples=["Unpaid since March."])


class TenantListQuery(Model):
    """Which tenants to list; newest first.

    Attributes:
        status: Only tenants of this status.
        limit: Tenants a page.
        cursor: ``next_cursor`` of the page before.
    """

    status: TenantStatus | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=4096)


class Tenant(Model):
    """A tenant.

    Attributes:
        tenant_id: Id.
        name: Name in any script.
        tier: What the tenant has booked.
        status: ``provisioning`` until its data sets exist, then ``active``; ``suspended`` refuses its credentials.
        created_at: When it was created.
        updated_at: When it was changed last.
        suspended_at: Since when it is suspended; None where it is not.
        suspended_reason: Why; None where it is not.
    """

    tenant_id: str
    name: str
    tier: TenantTier
    status: TenantStatus
    created_at: Timestamp
    updated_at: Timestamp
    suspended_at: Timestamp | None = None
    suspended_reason: str | None = None


class ApiKeyCreate(Model):
    """An API key to be created.

    Attributes:
        name: What people will know it by.
        role: What roles-restricted operations will see.
        scopes: What it may do, within what the role may do; everything the role may do where it is left out.
        expires_at: From when it will be refused; never where it is left out.
    """

    name: Name
    role: TenantRole = "user"
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=50), AfterValidator(_without_repetition)] | None = (
        None
    )
    expires_at: Timestamp | None = None


class ApiKeyRotate(Model):
    """How a key is replaced.

    Attributes:
        overlap_hours: Hours for which the old key is still accepted, so that callers can change over; 0 ends it now.
        expires_at: From when the new key will be refused; the old key's own expiry where it is left out.
    """

    overlap_hours: int = Field(default=24, ge=0, le=168, examples=[24])
    expires_at: Timestamp | None = None


class ApiKey(Model):
    """What is shown of an API key: neither the key nor its hash.

    Attributes:
        key_id: Id, by which it is revoked and by which the actor of a change is named.
        tenant_id: Whose key it is.
        name: What people know it by.
        role: What roles-restricted operations see.
        scopes: What it may do.
        prefix: First characters of the key, to tell keys apart.
        created_by: Who made it.
        created_at: When it was made.
        expires_at: From when it is refused; None is never.
        revoked_at: Since when it is refused; None where it is not revoked.
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
    expires_at: Timestamp | None = None
    revoked_at: Timestamp | None = None
    replaced_by: str | None = None

    @classmethod
    def shown(cls, stored: StoredKey) -> ApiKey:
        """Return what is shown of a stored key."""
        return cls.model_validate(stored.model_dump())


class ApiKeyCreated(ApiKey):
    """A new API key with the key itself, which is never shown again.

    Attributes:
        key: The key, to be sent as ``Authorization: Bearer`` or ``X-API-Key``.
    """

    key: str
