"""Set the settings of search optimisation."""

from common.answers import Record
from common.aso.site import service
from common.aso.site.models import AsoSettings, SettingsInput
from common.context import Context
from triggers import http


@http.put(
    "/v1/aso/settings",
    scope="aso:write",
    if_match="required",
    needs={"firestore:write": "Replaces the settings."},
)
def settings_set(body: SettingsInput, context: Context) -> Record[AsoSettings]:
    """Replace the settings as a whole; what is absent takes its default.

    Needs `If-Match` with the version that was read, `"0"` where nothing was set yet (412 `stale_etag`). Hosts may be
    given as addresses; what nobody can register is refused (`invalid_host`), and so is a competitor that is one of the
    own hosts (`own_host`).
    """
    return service.put(context, body)
