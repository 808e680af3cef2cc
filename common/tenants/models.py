"""Tenants, as they are asked for, stored and answered."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from common.context import TENANT_ID
from common.email_address import EmailAddress
from common.model import Model, Timestamp
from common.names import Name
from common.quotas import Resource
from common.tenant_state import TenantStatus, TenantTier
from common.tenants.deletion.models import DeletionStatus, TenantDeletion

SetupStatus = Literal["running", "done", "failed"]
StepName = Literal["warehouse", "data_key", "defaults", "first_admin", "activation"]
StepStatus = Literal["pending", "done", "skipped"]
BelowUsage = Literal["refuse", "accept"]
MOST = 1_000_000_000
"""The largest limit that can be agreed on; no limit is null."""

TenantId = Annotated[
    str,
    StringConstraints(pattern=f"^{TENANT_ID.pattern}$"),
    Field(description="Lower-case letters, digits and underscores; becomes part of data set names.", examples=["acme"]),
]
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
        admin_email: E-mail address of the first administrator, who is invited; nobody where it is left out.
    """

    tenant_id: TenantId | None = None
    name: Name = Field(examples=["Ådalen 有限公司"])
    tier: TenantTier = "free"
    admin_email: EmailAddress | None = Field(default=None, examples=["ann@example.com"])


class TenantUpdate(Model):
    """What changes about a tenant; what is left out stays.

    Attributes:
        name: Name in any script.
        tier: What the tenant has booked.
        below_usage: Whether a tier that holds less than the tenant has is refused (with the list of what is over), or
            accepted: everything stays, and nothing is added until it is below the limit again.
    """

    name: Name | None = Field(default=None, examples=["Acme Ltd"])
    tier: TenantTier | None = Field(default=None, examples=["pro"])
    below_usage: BelowUsage = Field(default="refuse", examples=["refuse"])

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


class SetupStep(Model):
    """One step of making a tenant ready.

    Attributes:
        name: What is made: the warehouse's data set and tables, the data key, the tenant's own company, the invite of
            the first administrator, and at last the activation.
        status: ``skipped`` where nothing was asked for.
        done_at: When it was done; None where it was not.
    """

    name: StepName
    status: StepStatus = "pending"
    done_at: Timestamp | None = None


def all_pending() -> list[SetupStep]:
    """Return every step, none of them done."""
    return [SetupStep(name=name) for name in get_args(StepName)]


class TenantSetup(Model):
    """How far a tenant is from being ready.

    Attributes:
        status: ``failed`` where the last run gave an error; it is tried again by itself, and by
            ``POST /v1/tenants/{tenant_id}/setup/retry``.
        attempts: Runs that began.
        steps: In order; a run goes on with the first that is pending.
        last_error: Why the last run failed; None where it did not.
    """

    status: SetupStatus = "running"
    attempts: int = 0
    steps: list[SetupStep] = Field(default_factory=all_pending)
    last_error: str | None = None


class SetupTask(Model):
    """Body of a task that goes on with making a tenant ready.

    Attributes:
        tenant_id: Which tenant.
    """

    tenant_id: str


class Tenant(Model):
    """A tenant.

    Attributes:
        tenant_id: Id.
        name: Name in any script; empty once the tenant is being erased.
        tier: What the tenant has booked.
        status: ``provisioning`` until it is set up, then ``active``; ``suspended`` and ``deletion_scheduled`` refuse
            its credentials and let its work wait; ``erasing`` cannot be undone; ``deleted`` is what is left of it.
        quotas: Limits that were agreed for this tenant alone; null is no limit.
        setup: How far it is from being ready; None for a tenant from before this was recorded.
        deletion: What is known of its deletion; None where nobody asked for one.
        deletion_status: Where the deletion is.
        deletion_due_at: From when it may be erased; None where it may not.
        created_at: When it was created.
        updated_at: When it was changed last.
        suspended_at: Since when it is suspended; None where it is not.
        suspended_reason: Why; None where it is not.
    """

    tenant_id: str
    name: str
    tier: TenantTier
    status: TenantStatus
    quotas: dict[Resource, int | None] = Field(default_factory=dict)
    setup: TenantSetup | None = None
    deletion: TenantDeletion | None = None
    deletion_status: DeletionStatus | None = None
    deletion_due_at: Timestamp | None = None
    created_at: Timestamp
    updated_at: Timestamp
    suspended_at: Timestamp | None = None
    suspended_reason: str | None = None


class TenantCreated(Tenant):
    """A new tenant, with the invite of its first administrator, which is never shown again.

    Attributes:
        invite_token: Token that accepts the invite (``POST /v1/invites/accept``), to be put into your application's
            link; None where nobody was invited.
    """

    invite_token: str | None = None


class OwnTenant(Model):
    """A tenant as its own people see it.

    Attributes:
        tenant_id: Id.
        name: Name.
        tier: What is booked.
        status: Where it is in its life.
        limits: How much it may have by resource; null is no limit.
        created_at: When it was created.
    """

    tenant_id: str
    name: str
    tier: TenantTier
    status: TenantStatus
    limits: dict[Resource, int | None]
    created_at: Timestamp


class ResourceUsage(Model):
    """How much of one resource a tenant has.

    Attributes:
        resource: The resource.
        limit: How much it may have; null is no limit.
        used: How much it has, counted now.
        agreed: Whether the limit was agreed for this tenant, and is not its tier's.
    """

    resource: Resource
    limit: int | None
    used: int
    agreed: bool


class TenantUsage(Model):
    """What a tenant has of what it may have.

    Attributes:
        tenant_id: Which tenant.
        tier: What is booked.
        resources: One entry a resource.
        counted_at: When it was counted.
    """

    tenant_id: str
    tier: TenantTier
    resources: list[ResourceUsage]
    counted_at: Timestamp


class QuotaSet(Model):
    """The limits that are agreed for a tenant; they replace all that were agreed before.

    Attributes:
        limits: By resource; null is no limit, and what is left out is as its tier has it.
        below_usage: Whether a limit below what the tenant has is refused (with the list of what is over), or accepted:
            everything stays, and nothing is added until it is below the limit again.
    """

    limits: dict[Resource, Annotated[int, Field(ge=0, le=MOST)] | None] = Field(
        examples=[{"keywords": 5000, "users": None}]
    )
    below_usage: BelowUsage = Field(default="refuse", examples=["refuse"])
