"""Archive a piece of ASO content."""

from common.answers import Record
from common.aso import content
from common.aso.content_models import ArchiveRequest
from common.aso.models import ContentPiece
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/content/{content_id}/archive",
    scope="aso:write",
    if_match="optional",
    needs={"firestore:write": "Changes the piece."},
)
def content_archive(content_id: str, body: ArchiveRequest | None, context: Context) -> Record[ContentPiece]:
    """Archive a draft or a published piece.

    The piece keeps its address, and the spokes of an archived hub stay as they are; no spoke can be added, moved to it
    or published under it while it is archived. An update with `status` `draft` brings a piece back.
    """
    return content.archive(context, content_id, body or ArchiveRequest())
