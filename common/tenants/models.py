"""Tenants and their API keys, as they are asked for, stored and answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

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


class Tenant(Model):
    """A tenant.

    Attributes:
        tenant_id: Id.
        name: Name in any script.
        tier: What the tenant has booked.
        status: ``provisioning`` until its data sets exist, then ``active``; ``suspended`` refuses its credentials.
        created_at: When it was created.
        updated_at: When it was changed last.
    """

    tenant_id: str
    name: str
    tier: TenantTier
    status: TenantStatus
    created_at: Timestamp
    updated_at: Timestamp


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
