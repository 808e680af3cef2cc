"""Read an opportunity."""

from common.answers import Record
from common.aso import opportunities
from common.aso.models import Opportunity
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/opportunities/{opportunity_id}",
    scope="aso:read",
    needs={"firestore:read": "Reads the opportunity."},
)
def opportunity_get(opportunity_id: str, context: Context) -> Record[Opportunity]:
    """Read an opportunity with its version (`ETag`), its reasons and the numbers they rest on."""
    return opportunities.get(context, opportunity_id)
