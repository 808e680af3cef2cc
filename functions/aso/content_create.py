"""Create a piece of ASO content."""

from common.answers import Record
from common.aso import content
from common.aso.content_models import ContentCreate
from common.aso.models import ContentPiece
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/content",
    scope="aso:write",
    status=201,
    location="/v1/aso/content/{content_id}",
    needs={"firestore:write": "Stores the piece and the key document of its address."},
)
def content_create(body: ContentCreate, context: Context) -> Record[ContentPiece]:
    """Create a hub or a spoke as a draft.

    A spoke needs a hub that is not archived (`hub_required`, `hub_not_found`, `hub_not_hub`, `hub_archived`), a hub has
    none (`hub_has_no_hub`). Two pieces cannot have the same address (`url_taken`).
    """
    return content.create(context, body)
