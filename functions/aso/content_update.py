"""Change a piece of ASO content."""

from common.answers import Record
from common.aso import content
from common.aso.content_models import ContentUpdate
from common.aso.models import ContentPiece
from common.context import Context
from triggers import http


@http.patch(
    "/v1/aso/content/{content_id}",
    scope="aso:write",
    if_match="required",
    needs={"firestore:write": "Changes the piece and the key document of its address."},
)
def content_update(content_id: str, body: ContentUpdate, context: Context) -> Record[ContentPiece]:
    """Change the given fields of a piece; `null` clears a field, absent fields stay.

    Needs `If-Match` with the version that was read (412 `stale_etag` if it changed since). The type never changes
    (`immutable_type`). `status` takes `draft` only, which brings an archived piece back (`invalid_transition`).
    """
    return content.update(context, content_id, body)
