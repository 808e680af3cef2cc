"""Acknowledge a rank alert."""

from common.answers import Record
from common.aso.tracking import alerts
from common.aso.tracking.alert_models import AlertUpdate, RankAlert
from common.context import Context
from triggers import http


@http.patch(
    "/v1/aso/alerts/{alert_id}",
    scope="aso:write",
    if_match="optional",
    needs={"firestore:write": "Changes the alert."},
)
def alert_update(alert_id: str, body: AlertUpdate, context: Context) -> Record[RankAlert]:
    """Acknowledge an alert, open it again, or note what it was about."""
    return alerts.update(context, alert_id, body)
