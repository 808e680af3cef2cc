"""Set the competitors."""

from common.answers import Record
from common.aso.site import service
from common.aso.site.models import AsoSettings, CompetitorSet
from common.context import Context
from triggers import http


@http.put(
    "/v1/aso/competitors",
    scope="aso:write",
    if_match="optional",
    needs={"firestore:write": "Changes the settings."},
)
def competitor_set(body: CompetitorSet, context: Context) -> Record[AsoSettings]:
    """Replace the competitors, at most 20, and leave the other settings as they are.

    Each is taken for its registrable host, so that an address or a subdomain may be given (`invalid_host`, `own_host`).
    """
    return service.set_competitors(context, body)
