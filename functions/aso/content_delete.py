"""Delete a piece of ASO content."""

from common.answers import Answer
from common.aso import deletion
from common.aso.content_models import DeleteQuery, DeletionReport
from common.context import Context
from triggers import http


@http.delete(
    "/v1/aso/content/{content_id}",
    scope="aso:write",
    if_match="optional",
    timeout=300,
    needs={"firestore:write": "Deletes the pieces and re-points or clears what refers to them."},
)
def content_delete(content_id: str, query: DeleteQuery, context: Context) -> Answer[DeletionReport]:
    """Delete a piece, with `cascade` a hub and its spokes.

    Without `cascade` a hub with spokes is refused (`has_spokes`, with their number), unless `reassign_to` names the hub
    that they move to. Keywords and opportunities of a deleted piece lose their `content_id`, or get `reassign_to`;
    audits of its pages go. `dry_run` tells what a deletion takes away. A large one goes in passes, the piece itself
    last: after a 503 the same call goes on where it stopped; beyond 5,000 documents a job does it (202).
    """
    return deletion.delete(context, content_id, query)
