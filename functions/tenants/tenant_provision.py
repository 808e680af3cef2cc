"""Make a new tenant ready for work."""

from common.context import Context
from common.events import Envelope
from common.tenants import setup
from triggers import message
from triggers.declaration import Retry


@message.subscribe(
    "tenants-events",
    filter='attributes.event_type = "tenant-created" OR attributes.event_type = "tenant-deletion-cancelled"',
    retry=Retry(attempts=100, minimum=10, maximum=600),
    timeout=120,
    needs={
        "bigquery:administer": "creates the tenant's data sets and tables",
        "firestore:write": "notes each step and sets the tenant active",
        "kms:use": "wraps the tenant's data key",
    },
)
def tenant_provision(envelope: Envelope, context: Context) -> None:
    """Go on with making the tenant ready, step by step, and set it active; tried again until it works."""
    setup.run(context, envelope.tenant_id)
