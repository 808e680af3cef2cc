"""The entity of the site's settings."""

from __future__ import annotations

from common.aso.site.models import AsoSettings
from common.entity import Entity, Index

ASO_SETTINGS = Entity(
    name="aso_settings",
    domain="aso",
    model=AsoSettings,
    collection="aso_settings",
    key="tenant_id",
    events={
        "created": "aso-settings-changed",
        "updated": "aso-settings-changed",
        "deleted": "aso-settings-deleted",
    },
    indexes=(Index(fields=("tracking.enabled", "tenant_id")),),
    unindexed=("brand_terms", "competitors", "site_hosts"),
    revertible=(
        *("site_hosts", "brand_terms", "competitors", "value_per_visit_minor", "currency", "search_console_site"),
        *("locale", "device", "timezone", "tracking"),
    ),
)
"""One document a tenant under the tenant's id, so that platform work (the plan of checks) can read it by tenant."""
