"""Publish a piece of ASO content."""

from common.answers import Record
from common.aso import content
from common.aso.content_models import PublishRequest
from common.aso.models import ContentPiece
from common.context import Context
from triggers import http


@http.post(
    "/v1/aso/content/{content_id}/publish",
    scope="aso:write",
    if_match="optional",
    needs={"firestore:write": "Changes the piece and the key document of its address."},
)
def content_publish(content_id: str, body: PublishRequest | None, context: Context) -> Record[ContentPiece]:
    """Publish a draft at its address, given now or before (`url_required`).

    `published_at` is the moment of the first publication and stays. Only drafts can be published
    (`invalid_transition`, with the states that are possible).
    """
    return content.publish(context, content_id, body or PublishRequest())
