"""Drop the cached answers that a change of search optimisation made stale."""

from common import stale
from common.context import Context
from common.events import Envelope
from triggers import message
from triggers.declaration import Retry


@message.subscribe(
    "aso-events",
    needs={"redis:use": "renews the generation of the tenant's cache namespaces"},
    retry=Retry(attempts=100, minimum=1, maximum=600),
    concurrency=80,
)
def cache_invalidate(envelope: Envelope, context: Context) -> None:
    """Make answers computed from Firestore stale; those from the warehouse go when the change has arrived there."""
    stale.handle(context, envelope)
