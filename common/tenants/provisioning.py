"""Making a new tenant ready for work: its data sets and tables, then its status."""

from __future__ import annotations

from datetime import UTC, datetime

from common.context import Context
from common.store import Repository, Work, transact
from common.tenants.entities import TENANTS
from common.warehouse.provision import provision_tenant


def provision(context: Context, tenant_id: str) -> None:
    """Create a tenant's data sets and tables and let it begin to work; harmless to repeat.

    A tenant that is gone, or that was suspended meanwhile, is left as it is.

    Raises:
        Unavailable: A dependency does not answer; the delivery is to be retried.
    """
    own = context.for_tenant(tenant_id)
    if Repository(TENANTS, own).find(tenant_id) is None:
        return
    provision_tenant(own, tenant_id)

    def activate(work: Work) -> None:
        record = work.find(TENANTS, tenant_id)
        if record is not None and record.value.status == "provisioning":
            active = record.value.model_copy(update={"status": "active", "updated_at": datetime.now(UTC)})
            work.update(TENANTS, record, active)

    transact(own, activate)
