"""Read the settings of search optimisation."""

from common.answers import Record
from common.aso.site import service
from common.aso.site.models import AsoSettings
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/settings",
    scope="aso:read",
    needs={"firestore:read": "Reads the settings."},
)
def settings_get(context: Context) -> Record[AsoSettings]:
    """Read what the tenant says about its site, its competitors and the tracking of ranks.

    Where nobody has set anything these are the defaults, with the version `"0"`.
    """
    return service.get(context)
