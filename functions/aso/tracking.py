"""Read how ranks are tracked."""

from common.aso.tracking import status
from common.aso.tracking.models import TrackingStatus
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/tracking",
    scope="aso:read",
    needs={
        "firestore:read": "Reads the settings, the plan and the budget, and counts the keywords.",
        "redis:use": "Looks whether providers are left alone.",
    },
)
def tracking(context: Context) -> TrackingStatus:
    """Read whether ranks are checked by themselves: the plan, what is due, what was spent, and the providers' state.

    Nothing is checked unless the deployment has a provider and the settings turn tracking on; `state` says what is
    missing.
    """
    return status.status(context)
