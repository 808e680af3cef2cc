"""Read the settings of who calls."""

from common.answers import Record
from common.context import Context
from common.tenants.people import me
from common.tenants.people.models import MySettings
from triggers import http


@http.get(
    "/v1/me/settings",
    scope="me:read",
    needs={"firestore:read": "reads the person and the tenant's feature flags"},
)
def me_settings_get(context: Context) -> Record[MySettings]:
    """Return one's own settings, feature flags and time zone."""
    return me.settings(context)
