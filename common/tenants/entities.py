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
        "updated": "tenant-updated",
        "updated:status=active": "tenant-activated",
        "updated:status=suspended": "tenant-suspended",
        "deleted": "tenant-deleted",
    },
    indexes=(Index(fields=("status", "-created_at")),),
    unindexed=("suspended_reason",),
    impersonal={"name": "Name of the customer's organisation."},
    purpose="Who the customer is, what they have booked, and whether they may work.",
)
