"""Work on an opportunity."""

from common.answers import Record
from common.aso import opportunities
from common.aso.models import Opportunity
from common.aso.opportunity_models import OpportunityUpdate
from common.context import Context
from triggers import http


@http.patch(
    "/v1/aso/opportunities/{opportunity_id}",
    scope="aso:write",
    if_match="required",
    needs={"firestore:write": "Changes the opportunity."},
)
def opportunity_update(opportunity_id: str, body: OpportunityUpdate, context: Context) -> Record[Opportunity]:
    """Move an opportunity along its states (`invalid_transition`), or say which piece takes it up.

    Needs `If-Match` with the version that was read (412 `stale_etag` if it changed since). `content_id` must name a
    piece (`content_not_found`).
    """
    return opportunities.update(context, opportunity_id, body)
