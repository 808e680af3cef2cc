"""List rank alerts."""

from common.answers import Page
from common.aso.tracking import alerts
from common.aso.tracking.alert_models import AlertQuery, RankAlert
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/alerts",
    scope="aso:read",
    needs={"firestore:read": "Reads the alerts."},
)
def alert_list(query: AlertQuery, context: Context) -> Page[RankAlert]:
    """List rank alerts by status, direction and keyword, newest first.

    An alert tells what was usual for the keyword (its level before and the band around it) and where it is now.
    """
    return alerts.listed(context, query)
