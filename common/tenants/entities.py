"""The entities of tenant management."""

from __future__ import annotations

from common.entity import Entity
from common.tenants.models import Tenant

TENANTS = Entity(
    name="tenant",
    domain="tenants",
    model=Tenant,
    collection="tenants",
    key="tenant_id",
    events={"created": "tenant-created", "updated": "tenant-updated", "deleted": "tenant-deleted"},
)
