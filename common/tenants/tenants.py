"""Tenants: creating and reading them."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from common.answers import Answer, Record
from common.context import Context
from common.store import Repository, write_record
from common.tenants.entities import TENANTS
from common.tenants.models import Tenant, TenantCreate


def create(context: Context, body: TenantCreate) -> Answer[Record[Tenant]]:
    """Create a tenant; the event of its creation makes it ready.

    Raises:
        Conflict: ``tenant_exists``.
    """
    tenant_id = body.tenant_id or f"t_{secrets.token_hex(8)}"
    now = datetime.now(UTC)
    tenant = Tenant(
        tenant_id=tenant_id, name=body.name, tier=body.tier, status="provisioning", created_at=now, updated_at=now
    )
    record = write_record(context.for_tenant(tenant_id), lambda work: work.create(TENANTS, tenant))
    return Answer(content=record, status=201, headers={"Location": f"/v1/tenants/{tenant_id}"})


def get(context: Context, tenant_id: str) -> Record[Tenant]:
    """Return a tenant.

    Raises:
        NotFound: ``tenant_not_found``.
    """
    return Repository(TENANTS, context).get(tenant_id)
