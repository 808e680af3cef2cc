"""What every request needs to know of its tenant: may it work now, what has it booked, what was agreed with it.

The directory of tenants belongs to a domain; this is the part of a tenant's document that mechanisms read, without
importing it: authentication, quotas, and whatever holds the work of a tenant that rests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

TenantTier = Literal["free", "pro", "enterprise"]
TenantStatus = Literal["provisioning", "active", "suspended", "deletion_scheduled", "erasing", "deleted"]

RESTING: frozenset[TenantStatus] = frozenset({"suspended", "deletion_scheduled"})
"""Statuses in which a tenant's work waits: it goes on when the tenant is resumed, or its deletion called off."""

LEAVING: frozenset[TenantStatus] = frozenset({"erasing", "deleted"})
"""Statuses from which no tenant comes back: nothing may be stored for it any more."""


def tenant_path(tenant_id: str) -> str:
    """Return the path of a tenant's document."""
    return f"tenants/{tenant_id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantState:
    """What mechanisms know of a tenant.

    Attributes:
        status: Where it is in its life.
        tier: What it has booked.
        quotas: Limits that were agreed for it alone, by resource; None is no limit.
    """

    status: TenantStatus
    tier: TenantTier = "free"
    quotas: Mapping[str, int | None] = field(default_factory=dict)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> TenantState:
        """Return the state that a tenant's document tells."""
        return cls(
            status=document["status"], tier=document.get("tier", "free"), quotas=dict(document.get("quotas") or {})
        )

    @property
    def rests(self) -> bool:
        """Whether its work waits."""
        return self.status in RESTING

    @property
    def is_leaving(self) -> bool:
        """Whether it is being erased, or is gone."""
        return self.status in LEAVING
