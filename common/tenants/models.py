"""Tenants, as they are asked for, stored and answered."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

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
