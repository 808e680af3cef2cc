"""Make a new tenant ready for work."""

from common.context import Context
from common.events import Envelope
from common.tenants import provisioning
from triggers import message
from triggers.declaration import Retry


@message.subscribe(
    "tenants-events",
    filter='attributes.event_type = "tenant-created"',
    retry=Retry(attempts=100, minimum=10, maximum=600),
    timeout=120,
    needs={
        "bigquery:administer": "creates the tenant's data sets and tables",
        "firestore:write": "sets the tenant active",
    },
)
def tenant_provision(envelope: Envelope, context: Context) -> None:
    """Create the tenant's data sets and tables and set it active; tried again until it works."""
    provisioning.provision(context, envelope.tenant_id)
