"""Raise an alert where a rank leaves its keyword's own noise."""

from common.aso.tracking import alerts
from common.context import Context
from common.events import Envelope
from triggers import message
from triggers.declaration import Retry


@message.subscribe(
    "aso-events",
    filter='attributes.event_type = "rank-observed"',
    retry=Retry(attempts=20, minimum=5, maximum=600),
    concurrency=40,
    needs={"firestore:write": "Keeps what is usual for each keyword, and creates the alert."},
)
def rank_alert(envelope: Envelope, context: Context) -> None:
    """Hold an observed rank against what is usual for its keyword, and raise an alert where it is outside twice."""
    alerts.handle(context, envelope)
