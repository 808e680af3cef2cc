"""Store every change of search optimisation in the warehouse."""

from common.context import Context
from common.events import Envelope
from common.warehouse import sync
from triggers import message
from triggers.declaration import Retry


@message.subscribe(
    "aso-events",
    retry=Retry(attempts=100, minimum=10, maximum=600),
    needs={
        "bigquery:write": "appends the change to the tenant's log",
        "firestore:write": "marks the merges and scans that the change makes due",
        "redis:use": "drops cached answers that were computed in the warehouse",
    },
    memory=512,
    concurrency=80,
    max_instances=20,
)
def warehouse_sync(envelope: Envelope, context: Context) -> None:
    """Append the change to the log of its table, together with others that arrive meanwhile."""
    sync.handle(context, envelope)
