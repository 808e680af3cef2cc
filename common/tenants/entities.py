"""The entities of tenant management."""

from __future__ import annotations

from common.entity import Entity, Index
from common.tenants.models import Tenant

TENANTS = Entity(
    name="tenant",
    domain="tenants",
    model=Tenant,
    collection="tenants",
    key="tenant_id",
    events={
        "created": "tenant-created",
        "updated:deletion_status=scheduled": "tenant-deletion-scheduled",
        "updated:deletion_status=cancelled": "tenant-deletion-cancelled",
        "updated:status=deleted": "tenant-deleted",
        "updated:status=active": "tenant-activated",
        "updated:status=suspended": "tenant-suspended",
        "updated": "tenant-updated",
    },
    indexes=(Index(fields=("status", "-created_at")), Index(fields=("deletion_status", "deletion_due_at"))),
    unindexed=("suspended_reason", "setup", "deletion", "quotas"),
    impersonal={
        "name": "Name of the customer's organisation.",
        "setup.steps.name": "Name of a step of the set-up.",
        "deletion.requested_by": "Id of an operator of the platform, not of a person of the tenant.",
        "deletion.cancelled_by": "Id of an operator of the platform, not of a person of the tenant.",
    },
    kept={
        "*": "Tier, quota, status and deletion of a tenant are changed by operators, each by an operation of its own."
    },
    purpose="Who the customer is, what they have booked, and whether they may work.",
)
