"""The entity of companies."""

from __future__ import annotations

from common.entity import Entity, Index, Unique
from common.tenants.companies.models import Company

COMPANIES = Entity(
    name="company",
    domain="tenants",
    model=Company,
    collection="companies",
    key="company_id",
    events={
        "created": "company-created",
        "updated": "company-updated",
        "updated:status=active": "company-restored",
        "updated:status=archived": "company-archived",
    },
    unique=(Unique(name="domain", fields=("domain",), code="domain_taken"),),
    indexes=(
        Index(fields=("tenant_id", "-created_at")),
        Index(fields=("tenant_id", "status", "-created_at")),
    ),
    unindexed=("brand_guidelines", "api_limits", "industry", "size"),
    impersonal={"name": "Name of a company.", "brand_guidelines.colours.name": "Name of a colour."},
    purpose="For whom the tenant works, and how that brand speaks and looks.",
    readers=("admin", "manager", "user", "viewer"),
    revertible=("name", "domain", "industry", "size", "brand_guidelines", "api_limits"),
    kept={"*": "Archiving and restoring a company have operations of their own."},
)
