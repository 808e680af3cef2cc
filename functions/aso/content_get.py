"""Read a piece of ASO content."""

from common.answers import Record
from common.aso import content
from common.aso.models import ContentPiece
from common.context import Context
from triggers import http


@http.get(
    "/v1/aso/content/{content_id}",
    scope="aso:read",
    needs={"firestore:read": "Reads the piece."},
)
def content_get(content_id: str, context: Context) -> Record[ContentPiece]:
    """Read a piece with its version (`ETag`).

    The keywords that the piece targets are listed by `GET /v1/aso/keywords?content_id=...`: they change on their own,
    so they are no part of the piece's version.
    """
    return content.get(context, content_id)
