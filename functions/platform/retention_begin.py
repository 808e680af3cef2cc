"""Look after the retention of every new tenant."""

from common.context import Context
from common.events import Envelope
from common.platform.privacy.retention import enforce
from triggers import message


@message.subscribe(
    "tenants-events",
    filter='attributes.event_type = "tenant-activated"',
    needs={"firestore:write": "Sets the mark that says when the tenant is looked at."},
)
def retention_begin(envelope: Envelope, context: Context) -> None:
    """Make a tenant due that began (or resumed) to work, so that its first run says when the next one is."""
    enforce.begin(context, envelope.tenant_id)
